/** Markup in which whatever comes from outside (names of files, above all) is text and nothing else. */

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

export interface Page {
  readonly title: string;
  readonly styles: string;
  readonly body: Markup;
}

/** One file that needs nothing beside it: no network, no script. Follows the reader's choice of light or dark. */
export function htmlPage({ title, styles, body }: Page): string {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>${title}</title>
<style>${new Markup(BASE_STYLES + styles)}</style>
</head>
<body>
<main>
${body}
</main>
</body>
</html>
`.text;
}

const BASE_STYLES = `
:root { color-scheme: light dark; --line: #c9ccd1; --quiet: #5a6068; --good: #14692f; --bad: #a3241c; }
@media (prefers-color-scheme: dark) { :root { --line: #454a52; --quiet: #a4abb5; --good: #6fcf8b; --bad: #ff9088; } }
body { font: 16px/1.45 system-ui, sans-serif; margin: 0; }
main { max-width: 76rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin: 2rem 0 .6rem; }
.quiet { color: var(--quiet); }
`;
