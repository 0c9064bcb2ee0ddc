/** A page of moving clips: each query, and beside it what was found for it. */
import { type Content, html, htmlPage, type Markup } from './html.js';
import type { Thumbnail } from './thumbnails.js';

export interface GalleryClip {
  readonly path: string;
  /** Seconds. */
  readonly start: number;
  readonly end: number;
  /** What stands under it: 'similarity 0.93'. */
  readonly note?: string;
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
  const body = html`<h1>${title}</h1>
<p class="quiet">${summary}</p>
<p><label><input type="checkbox" id="still"> Hold pictures still</label></p>
${groups.map(groupOf)}`;
  return htmlPage({ title, styles: STYLES, body });
}

/** '1:02.5' for 62.5 seconds. */
export function clock(seconds: number): string {
  const tenths = Math.round(seconds * 10);
  const rest = ((tenths % 600) / 10).toFixed(1).padStart(4, '0');
  return `${Math.floor(tenths / 600)}:${rest}`;
}

function groupOf({ title, query, clips }: GalleryGroup): Markup {
  return html`<section>
<h2>${title}</h2>
<ol class="clips">
${query && html`<li class="query">${clipOf(query, 'Searched for')}</li>`}
${clips.map((clip, i) => html`<li>${clipOf(clip, query ? `Found ${i + 1}` : '')}</li>`)}
</ol>
</section>
`;
}

function clipOf(clip: GalleryClip, role: string): Markup {
  const { path, start, end, note, thumbnail } = clip;
  const range = `${clock(start)} to ${clock(end)}`;
  const name = path.split('/').at(-1)!;
  return html`<figure>
${thumbnail ? moving(thumbnail, `${path}, ${range}`) : html`<div class="none">${clip.reason ?? 'no picture'}</div>`}
<figcaption>${role !== '' && html`<span class="quiet">${role}</span><br>`}<span title="${path}">${name}</span><br>${range}${
    note !== undefined && html`<br>${note}`
  }</figcaption>
</figure>`;
}

/** The frames of a sprite one after another; one of them alone for those who asked for less motion. */
function moving({ width, height, frames, jpeg }: Thumbnail, label: string): Content {
  const data = Buffer.from(jpeg).toString('base64');
  const style =
    `width:${width}px;height:${height}px;background-size:${frames * width}px ${height}px;` +
    `--whole:-${frames * width}px;animation-timing-function:steps(${frames});` +
    `animation-duration:${(frames / 6).toFixed(2)}s;background-image:url(data:image/jpeg;base64,${data})`;
  return html`<div class="clip" role="img" aria-label="${label}" style="${style}"></div>`;
}

const STYLES = `
.clips { list-style: none; display: flex; flex-wrap: wrap; gap: 1rem; padding: 0; margin: 0; }
.query { border-right: 1px solid var(--line); padding-right: 1rem; }
figure { margin: 0; } figcaption { font-size: .85rem; max-width: 14rem; overflow-wrap: anywhere; }
.clip { border-radius: 4px; animation-name: play; animation-iteration-count: infinite; }
.none { border: 1px dashed var(--line); border-radius: 4px; width: 9rem; min-height: 5rem; padding: .5rem; font-size: .85rem; }
@keyframes play { from { background-position-x: 0; } to { background-position-x: var(--whole); } }
body:has(#still:checked) .clip { animation: none; }
@media (prefers-reduced-motion: reduce) { .clip { animation: none; } }
`;
