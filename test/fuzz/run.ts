// node build/test/fuzz/run.js TARGET SECONDS FOLDER: fuzzes one reader; a finding is written into FOLDER.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fuzz, TARGETS } from './targets.js';

const [name, seconds, folder] = process.argv.slice(2);
const target = TARGETS.find((one) => one.name === name);
if (!target || !folder || !(Number(seconds) > 0)) throw new Error('usage: run.js TARGET SECONDS FOLDER');
const end = performance.now() + Number(seconds) * 1000;
const { runs, finding } = await fuzz(target, Date.now() >>> 0, () => performance.now() > end);
if (finding) {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${name}-${Date.now()}`);
  writeFileSync(file, finding.bytes);
  console.error(`  FAULT: ${finding.error.stack}\n    ${file}`);
  process.exitCode = 1;
}
const megabytes = (process.resourceUsage().maxRSS / 1024).toFixed(0);
console.error(`${name}: ${runs} runs, ${finding ? 1 : 0} faults, at most ${megabytes} MB`);
