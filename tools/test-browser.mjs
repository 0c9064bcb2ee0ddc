// npm run test:browser: set-up, then the pages that commands write, looked at in Chromium with the network off. What it
// saw is in build/screenshots, for people to look at too.
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { have, main, root } from './common.mjs';
import { aptInstall, setup } from './setup.mjs';
import { env, runAva, runSteps } from './test-runner.mjs';

async function browser() {
  await runAva(['--config', 'test/browser/ava.config.mjs', ...process.argv.slice(2)]);
}

await main(async () => {
  await setup({ yes: true });
  if (!have('chromium')) aptInstall(['chromium', 'fonts-dejavu-core']);
  env.VSSL_SCREENSHOTS = join(root, 'build/screenshots');
  rmSync(env.VSSL_SCREENSHOTS, { recursive: true, force: true });
  mkdirSync(env.VSSL_SCREENSHOTS, { recursive: true });
  await runSteps([browser]);
});
