/** Files that others write, or that are being written: what they say as far as it is JSON. */
import { readFile } from 'node:fs/promises';

/** What a text says; null for one that is no JSON, such as half a line. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** What a file says; null also where there is none that can be read. */
export async function readJson(path: string): Promise<unknown> {
  return parseJson(await readFile(path, 'utf8').catch(() => ''));
}

/** What each line of a file says, null for those that are no JSON; nothing where there is no file. */
export async function readJsonLines(path: string): Promise<unknown[]> {
  const text = await readFile(path, 'utf8').catch(() => '');
  return text.split('\n').map(parseJson);
}
