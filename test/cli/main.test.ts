import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';

const main = fileURLToPath(import.meta.resolve('#src/cli/main.js'));

/** Runs the command line with an addon folder that holds none: what works so needs none. */
function cli(...args: string[]) {
  const env = { ...process.env, NO_COLOR: '1', VSSL_NATIVE_BINDING: '/nonexistent' };
  return spawnSync(process.execPath, [main, ...args], { encoding: 'utf8', env });
}

test('help and version', (t) => {
  for (const args of [['--help'], ['help'], ['train', '--help'], ['help', 'train']]) {
    const { status, stdout } = cli(...args);
    t.is(status, 0, args.join(' '));
    t.regex(stdout, /Usage: vssl-native/);
  }
  t.regex(cli('--help').stdout, /train .*\n(.*\n)*.*presets/);
  t.regex(cli('--version').stdout, /^\d+\.\d+\.\d+/);
});

test('help loads no addon', (t) => {
  const probe = `
    const before = process.dlopen;
    process.dlopen = () => { console.log('LOADED'); process.exit(9); };
    process.argv = [process.argv[0], 'vssl-native', '--help'];
    await import(${JSON.stringify(import.meta.resolve('#src/cli/main.js'))});`;
  const { status, stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', probe], {
    encoding: 'utf8',
  });
  t.is(status, 0);
  t.false(stdout.includes('LOADED'));
});

test('wrong usage ends with 2 and says what is wrong', (t) => {
  const cases: [string[], RegExp][] = [
    [[], /Usage/],
    [['tran'], /Did you mean train/],
    [['train', '--presett', 'x'], /Did you mean --preset/],
    [['train', 'extra'], /too many arguments/],
    [['train'], /--preset/],
    [['train', '--preset', 'cvrl-tiny', '--max-steps', '0'], /whole number from 1/],
    [['train', '--preset', 'cvrl-tiny', '--device', 'tpu'], /Allowed choices are auto, cpu, cuda/],
    [['train', '--preset', 'cvrl-tni', '--data', '.', '--out', 'x'], /did you mean 'cvrl-tiny'/],
    [['train', '--preset', 'cvrl-tiny', '--data', '.'], /'out'/],
    [['train', '--preset', 'cvrl-tiny', '--out', 'x'], /'data.path'/],
    [
      ['train', '--preset', 'cvrl-tiny', '--data', '.', '--out', 'x', '--set', 'train.batchs=3'],
      /did you mean 'train.batch'/,
    ],
    [
      ['train', '--preset', 'cvrl-tiny', '--data', '.', '--out', 'x', '--set', 'train.batch=no'],
      /train\.batch/,
    ],
    [['methods', 'nope'], /cvrl/],
    [['bench', 'kernels', '--filter', 'no such case'], /--list/],
    [['bench', 'kernels', '--filter', '('], /--filter/],
    [['bench', 'kernels', '--pairs', '0'], /whole number from 1/],
  ];
  for (const [args, message] of cases) {
    const { status, stderr } = cli(...args);
    t.is(status, 2, args.join(' '));
    t.regex(stderr, message, args.join(' '));
    t.false(stderr.includes('    at '), 'a stack was shown');
  }
});

test('data that is not there ends with 4; --verbose shows the stack', (t) => {
  const args = [
    'train',
    '--preset',
    'cvrl-tiny',
    '--data',
    '/nonexistent/videos',
    '--out',
    join(tmpdir(), 'never'),
  ];
  const { status, stderr } = cli(...args);
  t.is(status, 4);
  t.regex(stderr, /\/nonexistent\/videos/);
  t.regex(cli(...args, '--verbose').stderr, /\n\s+at /);
});

test('a missing addon ends with 3 and says how to get it', (t) => {
  const data = mkdtempSync(join(tmpdir(), 'vssl-cli-'));
  writeFileSync(join(data, 'a.mp4'), 'no video');
  const out = join(data, 'run');
  const probe = `
    process.dlopen = () => { throw new Error('not here'); };
    process.argv = [process.argv[0], 'vssl-native', 'train', '--preset', 'cvrl-tiny', '--data', ${JSON.stringify(data)}, '--out', ${JSON.stringify(out)}];
    await import(${JSON.stringify(import.meta.resolve('#src/cli/main.js'))});`;
  const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', probe], {
    encoding: 'utf8',
  });
  t.is(status, 3, stderr);
  t.regex(stderr, /vssl-native (setup|build)/);
});

test('--json: the last line of stdout is one object, and nothing else is there', (t) => {
  const commands = [['methods'], ['methods', 'cvrl'], ['presets'], ['presets', 'cvrl-tiny']];
  for (const args of [...commands, ['bench', 'kernels', '--list']]) {
    const { status, stdout } = cli(...args, '--json');
    t.is(status, 0);
    const lines = stdout.trimEnd().split('\n');
    t.is(lines.length, 1);
    t.is(typeof JSON.parse(lines[0]!), 'object');
  }
  const wrong = cli('methods', 'nope', '--json');
  t.is(wrong.status, 2);
  t.is(JSON.parse(wrong.stdout).error.code, 'ERR_VSSL_INVALID_ARGUMENT');
});

test('a reader that goes away is no failure', async (t) => {
  const child = spawn(process.execPath, [main, 'presets', 'cvrl-tiny'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  child.stdout.destroy();
  let stderr = '';
  child.stderr.on('data', (text) => {
    stderr += text;
  });
  const [code] = await once(child, 'exit');
  t.is(code, 0, stderr);
});
