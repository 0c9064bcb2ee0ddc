/** A bundler that takes this package into its output leaves behind what it needs on disk: addons, tools, scripts. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { here } from './here.js';
import { packageRoot } from './package-root.js';

/** Where the bundle is when this code runs from one; null in the package's own folder. */
export function bundlePlace(): string | null {
  try {
    const { name } = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as {
      name?: unknown;
    };
    if (here !== '' && name === 'vssl-native') return null;
  } catch {
    // no package.json where the package's own would be
  }
  return here || 'an output without a place on disk';
}

/** What to do about it, by bundler. */
export const bundleAdvice = `leave the package external and ship it in node_modules:
  esbuild   --external:vssl-native
  webpack   externals: { 'vssl-native': 'commonjs vssl-native', 'vssl-native/kernels': 'commonjs vssl-native/kernels' }
  Rollup    external: [/^vssl-native/]
  Vite      ssr.external: ['vssl-native'], or build.rollupOptions.external: [/^vssl-native/]
  Next.js   serverExternalPackages: ['vssl-native']
or set VSSL_NATIVE_BINDING to a folder with the addons`;
