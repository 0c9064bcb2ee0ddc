/**
 * Child process of `doctor`: loads the engine, asks it about itself and prints one line of JSON. A libtorch that does
 * not fit this processor dies by a signal and not by an exception; here it takes nothing else with it.
 */
import type { EngineAddon } from './bindings.js';
import { isOldCudnn } from './device.js';
import { type LoadAttempt, tryLoad } from './load.js';

/** What the child prints. */
export interface EngineProbe {
  readonly attempts: readonly LoadAttempt[];
  readonly info?: ReturnType<EngineAddon['info']>;
  /** '' when well; absent when it was not asked for or the addon did not load. */
  readonly selfTest?: string;
  /** The same of the GPU; absent where there is none, or one that is refused bf16. */
  readonly gpuSelfTest?: string;
}

async function probe(withSelfTest: boolean): Promise<EngineProbe> {
  const { addon, attempts } = tryLoad('engine');
  if (!addon) return { attempts };
  const engine = addon as EngineAddon;
  const info = engine.info();
  if (!withSelfTest) return { attempts, info };
  const test = (device: 'cpu' | 'cuda') => engine.selfTest(device).catch((error: Error) => error.message);
  const selfTest = await test('cpu');
  if (!info.cudaAvailable || isOldCudnn(info.cudnnVersion)) return { attempts, info, selfTest };
  return { attempts, info, selfTest, gpuSelfTest: await test('cuda') };
}

probe(process.argv.includes('--self-test')).then(
  (result) => console.log(JSON.stringify(result)),
  (error) => {
    console.error(error);
    process.exitCode = 1;
  },
);
