// A package index of Python's kind: one page a package, with a link to each file (PEP 503), or the same as JSON (PEP 691).
import { request, shown, unavailable } from './fetch-file.mjs';

/**
 * The address of a file of that name; a name and password of the index are for its own server alone. Throws
 * ERR_VSSL_DOWNLOAD where the index has none.
 */
export async function findInIndex(index, { name, file }, options) {
  const page = `${index.replace(/\/+$/, '')}/${name}/`;
  const headers = { accept: 'application/vnd.pypi.simple.v1+json, text/html;q=0.5' };
  const response = await request(page, { ...options, headers });
  const text = await response.text();
  const isJson = /\bjson\b/.test(response.headers.get('content-type') ?? '');
  for (const link of isJson ? linksOfJson(text) : linksOfHtml(text)) {
    if (!URL.canParse(link, response.url)) continue;
    const url = new URL(link, response.url);
    if (!/^https?:$/.test(url.protocol) || decode(url.pathname.split('/').at(-1)) !== file) continue;
    const { origin, username, password } = new URL(page);
    if (url.origin === origin) Object.assign(url, { username, password });
    return url.href;
  }
  throw unavailable(`${shown(index)} has no ${file}`);
}

function linksOfJson(text) {
  try {
    return JSON.parse(text).files.map(({ url }) => url);
  } catch {
    return [];
  }
}

function linksOfHtml(text) {
  return [...text.matchAll(/<a\s[^>]*?href\s*=\s*["']([^"']+)["']/gi)].map(([, link]) =>
    link.replaceAll('&amp;', '&'),
  );
}

function decode(name) {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}
