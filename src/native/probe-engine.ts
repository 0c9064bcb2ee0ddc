/**
 * Child process of `doctor`: loads the engine, asks it about itself and prints one line of JSON. A libtorch that does
 * not fit this processor dies by a signal and not by an exception; here it takes nothing else with it.
 */
import type { EngineAddon } from './bindings.js';
import { type LoadAttempt, tryLoad } from './load.js';

/** What the child prints. */
export interface EngineProbe {
  readonly attempts: readonly LoadAttempt[];
  readonly info?: ReturnType<EngineAddon['info']>;
  /** '' when well; absent when it was not asked for or the addon did not load. */
  readonly selfTest?: string;
}

async function probe(withSelfTest: boolean): Promise<EngineProbe> {
  const { addon, attempts } = tryLoad('engine');
  if (!addon) return { attempts };
  const engine = addon as EngineAddon;
  const info = engine.info();
  if (!withSelfTest) return { attempts, info };
  const selfTest = await engine.selfTest().catch((error: Error) => error.message);
  return { attempts, info, selfTest };
}

probe(process.argv.includes('--self-test')).then(
  (result) => console.log(JSON.stringify(result)),
  (error) => {
    console.error(error);
    process.exitCode = 1;
  },
);
