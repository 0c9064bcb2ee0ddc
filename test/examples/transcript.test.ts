/**
 * The README's way from a folder of videos to the nearest scenes: its commands run as they stand there, and what they print has
 * the form of what stands there. Only the steps of training are fewer.
 */
import { execFile } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';
import { SYNTHETIC_MOTIONS } from '#src/data/synthetic.js';
import { packageRoot } from '#src/native/load.js';
import { scratch } from '../embed/make-videos.js';

const { folder, remove } = scratch();
test.after.always(remove);
const main = fileURLToPath(import.meta.resolve('#src/cli/main.js'));

interface Call {
  readonly command: string;
  readonly output: string;
}

/** The commands of the block, each with what follows it. */
function readTranscript(): Call[] {
  const readme = readFileSync(join(packageRoot, 'README.md'), 'utf8');
  const [, block = ''] = /<!-- transcript -->\n+```\n(.*?)```/s.exec(readme) ?? [];
  return block
    .split(/^\$ /m)
    .slice(1)
    .map((call) => {
      const end = call.indexOf('\n');
      return { command: call.slice(0, end), output: call.slice(end + 1) };
    });
}

/** Words as the shell takes them; the commands quote with '...' alone. */
function wordsOf(command: string): string[] {
  return [...command.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain!);
}

/** Where the commands were run that the README shows. */
const THERE = '/tmp/films';

async function run(command: string): Promise<string> {
  const words = wordsOf(command.replace(/train\.steps=\d+/, 'train.steps=2'));
  if (words[0] === 'rm') {
    rmSync(join(folder, words[1]!));
    return '';
  }
  const [npx, name, ...args] = words;
  if (npx !== 'npx' || name !== 'vssl-native') throw new Error(`no command of the package: ${command}`);
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [main, ...args], { cwd: folder });
  return (stderr + stdout).replaceAll(folder, THERE);
}

/**
 * Lines without their numbers, names and blanks; of a form that comes as often as time allows, as steps do, the first. What is
 * said of other programs depends on them.
 */
function formOf(output: string): string[] {
  const names = [...SYNTHETIC_MOTIONS].sort((a, b) => b.length - a.length).join('|');
  const lines = output
    .split('\n')
    .filter((line) => line !== '...' && !/^warning: other programs/.test(line))
    .map((line) =>
      line
        .replace(/\S+\/videos\/\S+\.mp4/g, 'VIDEO')
        .replace(new RegExp(`\\b(${names})\\b`, 'g'), 'LABEL')
        .replace(/\d+(\.\d+)?(e-?\d+)?/g, '0')
        .replace(/(0:)+0/g, '0')
        .replace(/-{2,}/g, '--')
        .replace(/\s+/g, ' ')
        .trim(),
    );
  return [...new Set(lines.filter(Boolean))];
}

test('the commands of the README run one after another and print what it says', async (t) => {
  const calls = readTranscript();
  t.deepEqual(
    calls.map(({ command }) => wordsOf(command).find((word) => !['npx', 'vssl-native'].includes(word))),
    ['synthesize', 'rm', 'train', 'index', 'search'],
  );
  for (const { command, output } of calls) {
    const said = await run(command);
    t.deepEqual(formOf(said), formOf(output), `${command}\n${said}`);
    if (/ search /.test(command))
      for (const text of [said, output])
        t.is(text.trimEnd().split('\n').length, 7, 'a head, a rule and five scenes');
  }
});
