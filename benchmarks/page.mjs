// What the scripts that write tables into a page have in common.
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** A markdown table, whose first `texts` columns stand to the left and whose others, numbers, to the right. */
export function markdown(columns, rows, texts = 1) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  return [line(columns), line(columns.map((_, i) => (i < texts ? '---' : '--:'))), ...rows.map(line)].join(
    '\n',
  );
}

/**
 * Puts `text` between `<!-- name -->` and `<!-- /name -->` of a page. With `check` the page stays, and the process ends
 * with 1 when it says something else.
 */
export function fillPage(page, name, text, check) {
  const file = join(root, page);
  const before = readFileSync(file, 'utf8');
  const place = new RegExp(`(<!-- ${name} -->\n)[\\s\\S]*?(<!-- /${name} -->)`);
  if (!place.test(before)) throw new Error(`${page} has no place <!-- ${name} --> for the table`);
  const after = before.replace(place, (_all, begin, end) => begin + text + end);
  if (!check) writeFileSync(file, after);
  else if (after !== before) {
    console.error(`${page} is out of date. Run: node benchmarks/${basename(process.argv[1])} --table`);
    process.exitCode = 1;
  }
}

/** The commit that is checked out; with a + where files differ from it. */
export function commit() {
  const git = (...args) => spawnSync('git', ['-C', root, ...args], { encoding: 'utf8' }).stdout.trim();
  return (
    git('rev-parse', '--short=10', 'HEAD') + (git('status', '--porcelain', '--untracked-files=no') ? '+' : '')
  );
}
