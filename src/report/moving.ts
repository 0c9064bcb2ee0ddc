/** Moving pictures in a page: the frames of a sprite one after another, and what holds them still. */
import { html, type Markup } from './html.js';
import type { Thumbnail } from './thumbnails.js';

/** Frames a second. */
const RATE = 6;

/** One sprite in a box that all clips of a page share; the picture takes as much of it as its shape allows. */
export function movingPicture(thumbnail: Thumbnail, label: string): Markup {
  const data = Buffer.from(thumbnail.jpeg).toString('base64');
  const style = `${spriteStyle(thumbnail)};background-image:url(data:image/jpeg;base64,${data})`;
  return html`<div class="box"><div class="clip" role="img" aria-label="${label}" style="${style}"></div></div>`;
}

/** What stands in its place where there is no picture, and why. */
export function noPicture(reason: string): Markup {
  return html`<div class="box none"><p><strong>No picture</strong><br>${reason}</p></div>`;
}

/** Shape and pace of a sprite, as declarations; who holds still sees its middle frame. */
export function spriteStyle({ width, height, frames }: Omit<Thumbnail, 'jpeg'>): string {
  const last = Math.max(1, frames - 1);
  const still = (100 * Math.floor(last / 2)) / last;
  return (
    `--ratio:${(width / height).toFixed(4)};--still:${still.toFixed(3)}%;background-size:${100 * frames}% 100%;` +
    `animation-timing-function:steps(${frames},jump-none);animation-duration:${(frames / RATE).toFixed(2)}s`
  );
}

/** The switch that stops all of them. */
export const stillSwitch: Markup = html`<label class="check still"><input type="checkbox" id="still"> Hold pictures still</label>`;

export const MOVING_STYLES = `
.box { aspect-ratio: 4 / 3; container-type: size; display: grid; place-items: center; overflow: hidden; background: var(--sunken); }
.clip { width: min(100cqw, calc(100cqh * var(--ratio))); aspect-ratio: var(--ratio); background-position-x: var(--still);
  animation-name: play; animation-iteration-count: infinite; }
.none { color: var(--quiet); font-size: .8rem; } .none p { margin: 0; padding: .75rem; max-height: 100%; overflow: auto; overflow-wrap: anywhere; }
.check { display: inline-flex; gap: .5rem; align-items: center; font-size: .9rem; cursor: pointer; }
.check input { accent-color: var(--accent); width: 1.1rem; height: 1.1rem; margin: 0; }
@keyframes play { from { background-position-x: 0%; } to { background-position-x: 100%; } }
body:has(#still:checked) .clip { animation-name: none; }
@media (prefers-reduced-motion: reduce) { .clip { animation-name: none; } .still { display: none; } }
`;
