/** Markup in which whatever comes from outside (names of files, above all) is text and nothing else. */

import { createHash } from 'node:crypto';

/** Text that may stand in a page as it is. */
export class Markup {
  constructor(readonly text: string) {}
}

export type Content = string | number | Markup | null | false | readonly Content[];

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** For an element's text and for an attribute in quotes. */
export const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (c) => ENTITIES[c]!);

function textOf(content: Content): string {
  if (content === null || content === false) return '';
  if (content instanceof Markup) return content.text;
  if (typeof content === 'object') return content.map(textOf).join('');
  return escapeHtml(String(content));
}

/** A template whose values are escaped, unless they are markup; lists one after another, null and false as nothing. */
export function html(parts: TemplateStringsArray, ...values: readonly Content[]): Markup {
  return new Markup(parts.reduce((sum, part, i) => sum + textOf(values[i - 1] ?? null) + part));
}

/** Data for the page's own script to read by the id; no text in it ends the element. */
export function dataElement(id: string, data: unknown): Markup {
  const text = JSON.stringify(data).replaceAll('<', '\\u003c');
  return html`<script type="application/json" id="${id}">${new Markup(text)}</script>`;
}

export interface Page {
  readonly title: string;
  readonly styles: string;
  readonly body: Markup;
  /** The only script that the page runs. Default: none. */
  readonly script?: string;
  /** Whether that script may ask the server that the page came from. */
  readonly live?: boolean;
}

/** One file that needs nothing beside it, and asks no network. Follows the reader's choice of light or dark. */
export function htmlPage({ title, styles, body, script, live = false }: Page): string {
  const hash = script && createHash('sha256').update(script).digest('base64');
  const policy = [
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'",
    ...(hash ? [`script-src 'sha256-${hash}'`] : []),
    ...(live ? ["connect-src 'self'"] : []),
  ].join('; ');
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<title>${title}</title>
<style>${new Markup(BASE_STYLES + styles)}</style>
</head>
<body>
<main>
${body}
</main>
${script !== undefined && html`<script>${new Markup(script)}</script>\n`}</body>
</html>
`.text;
}

const BASE_STYLES = `
:root { color-scheme: light dark; --page: #f8f8f6; --card: #ffffff; --sunken: #ecedea; --ink: #1c2024; --quiet: #5a6068; --line: #dcdeda; --accent: #1f5fae; --good: #14692f; --bad: #a3241c; }
@media (prefers-color-scheme: dark) {
  :root { --page: #131518; --card: #1b1e22; --sunken: #25292e; --ink: #e7e9ec; --quiet: #a4abb5; --line: #343a41; --accent: #7db4f5; --good: #6fcf8b; --bad: #ff9088; }
}
body { font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; margin: 0; background: var(--page); color: var(--ink); }
main { max-width: 78rem; margin: 0 auto; padding: 2rem clamp(1rem, 4vw, 2.5rem) 4rem; }
header { margin-bottom: 2rem; }
h1 { font-size: 1.75rem; line-height: 1.2; letter-spacing: -.01em; margin: 0 0 .5rem; }
h2 { font-size: 1.05rem; margin: 0 0 .75rem; }
p { margin: 0 0 .75rem; }
.quiet { color: var(--quiet); overflow-wrap: anywhere; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; border-radius: 3px; }
`;
