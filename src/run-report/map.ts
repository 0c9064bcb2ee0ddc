/** The clips as each encoder sees them: a map of all, and for some of them what it takes for nearest. */
import { listLabels } from '../data/rows.js';
import type { FeatureMatrix } from '../eval/feature-matrix.js';
import { findNeighbours } from '../eval/neighbours.js';
import { clock } from '../report/gallery.js';
import { dataElement, html, Markup } from '../report/html.js';
import { COLORS } from '../report/line-chart.js';
import { noPicture, spriteStyle } from '../report/moving.js';
import { commonFolder, nameMarkup, printable } from '../report/names.js';
import type { PickedClips } from './pick-clips.js';
import { project } from './project.js';
import type { ShownClip } from './sprites.js';

/** Neighbours of every clip that are told. */
const NEAR = 5;
/** Clips whose neighbours are shown side by side for all encoders. */
const QUERIES = 8;

interface Clip {
  readonly name: string;
  /** Place in the list of labels; -1: it has none. */
  readonly label: number;
  readonly shown: ShownClip;
}

/** Everything that both sections are made of. */
export interface ClipMap {
  readonly folder: string;
  readonly labels: readonly string[];
  readonly clips: readonly Clip[];
  readonly runs: readonly {
    readonly name: string;
    readonly points: Float32Array;
    /** Of each clip the nearest others, nearest first, and their cosines. */
    readonly near: readonly (readonly number[])[];
    readonly similarities: readonly (readonly number[])[];
  }[];
}

export async function makeMap(
  { rows, vectors }: PickedClips,
  shown: readonly ShownClip[],
  signal?: AbortSignal,
): Promise<ClipMap> {
  const folder = commonFolder(rows.map(({ path }) => path));
  const labels = listLabels(rows);
  const runs = [];
  for (const { run, features } of vectors) {
    const { near, similarities } = await nearestOthers(features, signal);
    runs.push({ name: run, points: project(features), near, similarities });
  }
  const clips = rows.map(({ path, label }, i) => ({
    name: path.slice(folder.length),
    label: label === undefined ? -1 : labels.indexOf(label),
    shown: shown[i]!,
  }));
  return { folder, labels, clips, runs };
}

/** Without the clip itself, which is always the nearest. */
async function nearestOthers(features: FeatureMatrix, signal?: AbortSignal) {
  const { k, indices, similarities } = await findNeighbours(features, features, { k: NEAR + 1, signal });
  const others = Array.from({ length: features.rows }, (_, row) =>
    Array.from({ length: k }, (_, j) => row * k + j)
      .filter((at) => indices[at] !== row)
      .slice(0, NEAR),
  );
  return {
    near: others.map((at) => at.map((j) => indices[j]!)),
    similarities: others.map((at) => at.map((j) => similarities[j]!)),
  };
}

export function mapSection({ folder, labels, clips, runs }: ClipMap): Markup {
  const data = {
    labels: labels.map(printable),
    clips: clips.map(({ name, label, shown }) => ({
      ...{ n: printable(name), l: label, t: rangeOf(shown), p: shown.thumbnail ? 1 : 0 },
    })),
    runs: runs.map(({ name, points, near }) => ({
      ...{ name, xy: Array.from(points, (value) => Math.round(1000 * value)), near },
    })),
  };
  const radios = runs.map(
    ({ name }, i) =>
      html`<label><input type="radio" name="map-run" value="${i}"${i === 0 && CHECKED}> ${nameMarkup(name)}</label>\n`,
  );
  const keys = labels.map(
    (label, i) =>
      html`<button type="button" class="label-key c${i % COLORS}" data-label="${i}" aria-pressed="false"><i class="shape${Math.floor(i / COLORS) % 4}"></i>${nameMarkup(label)}</button>\n`,
  );
  return html`<p class="quiet">${clips.length} clips${folder !== '' && html` in ${nameMarkup(folder)}`}. What an encoder takes for alike lies near: the two directions in which its vectors differ most. Point at a clip, or go from one to the next with the arrow keys.</p>
<div class="controls">${runs.length > 1 && html`<fieldset class="choice"><legend>Encoder of</legend>${radios}</fieldset>`}
<label class="check"><input type="checkbox" id="map-pictures"${CHECKED}> Pictures on the map</label></div>
<div class="map"><div id="map-field" class="field" tabindex="0" role="application" aria-label="Map of ${clips.length} clips: the arrow keys go from clip to clip"><canvas aria-hidden="true"></canvas><div id="map-pins" aria-hidden="true"></div></div>
<div id="map-panel" class="panel" aria-live="polite"><p class="quiet">No clip is chosen yet.</p></div></div>
${labels.length > 0 && html`<div class="keys" role="group" aria-label="Labels: press one to see its clips alone">${keys}</div>`}
${dataElement('map-data', data)}`;
}

const CHECKED = html` checked`;
const rangeOf = ({ start, end }: ShownClip) => `${clock(start)} to ${clock(end)}`;

/** Some queries, with what each encoder finds nearest among the clips of the map. */
export function retrievalSection(map: ClipMap): Markup {
  const { clips, runs, labels } = map;
  const queries = pickQueries(map);
  const card = (i: number, mark: Markup | null, cosine?: number) => {
    const { name, label, shown } = clips[i]!;
    const said = `${printable(name)}, ${label < 0 ? 'no label' : printable(labels[label]!)}`;
    const picture = shown.thumbnail
      ? html`<div class="box"><div class="clip t${i}" role="img" aria-label="${said}"></div></div>`
      : noPicture(shown.reason ?? 'it was not made');
    return html`<figure class="card">${picture}<figcaption><p class="figures">${mark}${cosine !== undefined && html`<span class="time">${cosine.toFixed(3)}</span>`}</p>
<p class="within">${nameMarkup(label < 0 ? 'no label' : labels[label]!)}</p><p class="within" title="${printable(name)}">${nameMarkup(name.slice(name.lastIndexOf('/') + 1))}</p></figcaption></figure>`;
  };
  const found = (query: number, { name, near, similarities }: ClipMap['runs'][number]) =>
    html`<div class="found">${runs.length > 1 && html`<h4>${nameMarkup(name)}</h4>`}<ol class="clips">${near[
      query
    ]!.map(
      (i, place) =>
        html`<li>${card(i, verdict(clips[query]!, clips[i]!), similarities[query]![place])}</li>\n`,
    )}</ol></div>`;
  return html`<p class="quiet">What each encoder finds nearest among the ${clips.length} clips of the map, with the cosine of the angle between both vectors${labels.length > 0 && html`; <span class="right">✓ right</span> has the label of the clip that was looked for, <span class="wrong">✗ wrong</span> another`}. Half of them are clips whose nearest is wrong, where there are any.</p>
${queries.map((query) => html`<div class="retrieval"><div class="query"><h3>Looked for</h3>${card(query, null)}</div><div>${runs.map((run) => found(query, run))}</div></div>`)}`;
}

function verdict(query: Clip, found: Clip): Markup | null {
  if (query.label < 0 || found.label < 0) return null;
  return query.label === found.label
    ? html`<b class="right">✓ right</b>`
    : html`<b class="wrong">✗ wrong</b>`;
}

/** Clips whose nearest by the first encoder is wrong and others in turn, evenly spread. */
export function pickQueries({ clips, runs }: Pick<ClipMap, 'clips' | 'runs'>, count = QUERIES): number[] {
  const all = clips.map((_, i) => i);
  const wrong = all.filter((i) => {
    const nearest = clips[runs[0]!.near[i]![0]!];
    return clips[i]!.label >= 0 && nearest !== undefined && nearest.label !== clips[i]!.label;
  });
  const right = all.filter((i) => !wrong.includes(i));
  const some = (from: readonly number[], most: number) =>
    from.length <= most
      ? [...from]
      : Array.from({ length: most }, (_, i) => from[Math.floor((i * from.length) / most)]!);
  const bad = some(wrong, Math.max(count >> 1, count - right.length));
  return [...bad, ...some(right, count - bad.length)].sort((a, b) => a - b);
}

/** A rule for each picture, at the end of the page: text comes first. */
export function spriteRules({ clips }: ClipMap): Markup {
  const rules = clips.flatMap(({ shown: { thumbnail } }, i) =>
    thumbnail
      ? [
          `.t${i}{${spriteStyle(thumbnail)};background-image:url(data:image/jpeg;base64,${Buffer.from(thumbnail.jpeg).toString('base64')})}`,
        ]
      : [],
  );
  return html`<style>${new Markup(rules.join('\n'))}</style>`;
}
