/** A page of moving clips: each query, and beside it what was found for it. */
import { html, htmlPage, type Markup } from './html.js';
import { MOVING_STYLES, movingPicture, noPicture, stillSwitch } from './moving.js';
import { commonFolder, nameMarkup, printable } from './names.js';
import type { Thumbnail } from './thumbnails.js';

export interface GalleryClip {
  readonly path: string;
  /** Seconds. */
  readonly start: number;
  readonly end: number;
  /** Where the whole video begins and ends, seconds; null: not known. */
  readonly whole: readonly [start: number, end: number] | null;
  readonly label?: string | undefined;
  /** Cosine, to what it was found for. */
  readonly similarity?: number;
  readonly thumbnail: Thumbnail | null;
  /** Why there is none. */
  readonly reason?: string;
}

export interface GalleryGroup {
  readonly title: string;
  /** The clip that the others were found for; null: they are alike among themselves. */
  readonly query: GalleryClip | null;
  readonly clips: readonly GalleryClip[];
}

export interface Gallery {
  readonly title: string;
  readonly summary: string;
  readonly groups: readonly GalleryGroup[];
}

/** The whole page as one file: pictures are in it. */
export function galleryPage({ title, summary, groups }: Gallery): string {
  const paths = groups.flatMap(({ query, clips }) => [...(query ? [query] : []), ...clips]);
  const folder = commonFolder(paths.map(({ path }) => path));
  const body = html`<header>
<h1>${title}</h1>
<p class="quiet">${summary}.${folder !== '' && html` All paths are in ${nameMarkup(folder)}.`}</p>
${stillSwitch}
</header>
<div class="groups">
${groups.map((group) => groupOf(group, folder))}</div>`;
  return htmlPage({ title, styles: MOVING_STYLES + STYLES, body });
}

/** '1:02.5' for 62.5 seconds. */
export function clock(seconds: number): string {
  const tenths = Math.round(seconds * 10);
  const rest = ((tenths % 600) / 10).toFixed(1).padStart(4, '0');
  return `${Math.floor(tenths / 600)}:${rest}`;
}

function groupOf({ title, query, clips }: GalleryGroup, folder: string): Markup {
  const found = html`<ol class="clips">
${clips.map((clip, i) => html`<li>${clipOf(clip, folder, query && i + 1)}</li>\n`)}</ol>`;
  if (!query) return html`<section class="alike">\n<h2>${title}</h2>\n${found}\n</section>\n`;
  return html`<section class="search">
<div class="query"><h2>Searched for</h2>${clipOf(query, folder, null)}</div>
<div><h2>${title}</h2>${clips.length > 0 ? found : html`<p class="quiet">Nothing was found.</p>`}</div>
</section>
`;
}

function clipOf(clip: GalleryClip, folder: string, rank: number | null): Markup {
  const { path, start, end, label, similarity, thumbnail } = clip;
  const range = `${clock(start)} to ${clock(end)}`;
  const rest = path.slice(folder.length);
  const cut = rest.lastIndexOf('/') + 1;
  const within = rest.slice(0, cut);
  // folders of classes are named by the label: once is enough
  const told = label !== undefined && !within.endsWith(`${label}/`) && label;
  return html`<figure class="card">
${
  thumbnail
    ? movingPicture(thumbnail, `${printable(rest)}, ${range}`)
    : noPicture(clip.reason ?? 'it was not made')
}
${whereIn(clip)}
<figcaption>
<p class="figures">${rank !== null && html`<span class="rank">${rank}</span>`}<span class="time">${range}</span></p>
${similarity !== undefined && likeness(similarity)}
<p class="name" title="${printable(path)}">${nameMarkup(rest.slice(cut))}</p>
${within !== '' && html`<p class="within">${nameMarkup(within)}</p>`}${told && html`<p class="within">${nameMarkup(told)}</p>`}
</figcaption>
</figure>`;
}

/** A bar as long as the video, the part that is shown marked on it. */
function whereIn({ start, end, whole }: GalleryClip): Markup {
  if (!whole || !(whole[1] > whole[0])) return html`<div class="track"></div>`;
  const share = (time: number) =>
    Math.min(100, Math.max(0, (100 * (time - whole[0])) / (whole[1] - whole[0])));
  const [left, right] = [share(start), share(end)];
  const style = `margin-left:${left.toFixed(2)}%;width:${Math.max(0, right - left).toFixed(2)}%`;
  return html`<div class="track" aria-hidden="true"><div style="${style}"></div></div>`;
}

function likeness(similarity: number): Markup {
  const width = `width:${(100 * Math.min(1, Math.max(0, similarity))).toFixed(1)}%`;
  return html`<p class="likeness"><span>similarity</span> <b>${similarity.toFixed(3)}</b></p>
<div class="meter" aria-hidden="true"><div style="${width}"></div></div>`;
}

const STYLES = `
.groups { display: grid; gap: 2.5rem 4rem; grid-template-columns: repeat(auto-fill, minmax(min(100%, 26rem), 1fr)); }
.search { grid-column: 1 / -1; display: grid; gap: 1.5rem 2.5rem; }
.clips { list-style: none; padding: 0; margin: 0; display: grid; gap: 1rem; grid-template-columns: repeat(auto-fill, minmax(min(46%, 11.5rem), 1fr)); }
.alike .clips { grid-template-columns: 1fr 1fr; }
.query .card { border-color: var(--accent); max-width: 22rem; }
@media (min-width: 52rem) {
  .search { grid-template-columns: minmax(14rem, 18rem) 1fr; align-items: start; }
  .query { position: sticky; top: 1.5rem; }
}
.card { margin: 0; height: 100%; background: var(--card); border: 1px solid var(--line); border-radius: 8px; overflow: hidden; box-sizing: border-box; }
.query .card { height: auto; }
.track { height: 4px; background: var(--line); } .track div { height: 4px; min-width: 3px; background: var(--accent); }
figcaption { padding: .65rem .75rem .75rem; font-size: .875rem; line-height: 1.4; }
figcaption p { margin: 0; }
.figures { display: flex; gap: .5rem; align-items: baseline; font-variant-numeric: tabular-nums; }
.rank { font-weight: 650; font-size: 1rem; min-width: 1.5em; } .time { color: var(--quiet); }
.likeness { display: flex; justify-content: space-between; margin-top: .35rem; font-variant-numeric: tabular-nums; }
.likeness span, .within { color: var(--quiet); }
.meter { height: 4px; border-radius: 2px; background: var(--sunken); margin: .15rem 0 .5rem; overflow: hidden; } .meter div { height: 100%; background: var(--accent); }
.name, .within { overflow-wrap: anywhere; display: -webkit-box; -webkit-line-clamp: 3; -webkit-box-orient: vertical; overflow: hidden; }
.name { font-weight: 550; } .within { font-size: .8rem; }
`;
