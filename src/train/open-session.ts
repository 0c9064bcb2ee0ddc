/** The engine's session of a run: on its device, with the weights that the run begins or goes on with. */
import type { Device } from '../checks.js';
import type { ResolvedConfig } from '../config/schema.js';
import { toVsslError } from '../errors.js';
import type { EngineAddon, NamedTensor, NativeSession } from '../native/bindings.js';
import { checkEncoders } from './export-encoders.js';
import { type InitWeights, loadInitWeights } from './init-weights.js';
import type { RankGroup } from './ranks.js';
import { buildSessionSpec } from './session-spec.js';

export interface SessionStart {
  readonly device: Device;
  /** Chunks of a batch, in this run. */
  readonly accumulate: number;
  /** Of the checkpoint that the run goes on from. */
  readonly state: readonly NamedTensor[] | undefined;
  /** With whom it trains. */
  readonly group: RankGroup;
  /** What the evaluated encoder of a new run begins with, if not at random. */
  readonly init: InitWeights | null;
}

export async function openSession(
  engine: EngineAddon,
  config: ResolvedConfig,
  { device, accumulate, group, state, init }: SessionStart,
): Promise<NativeSession> {
  const caller = new Error();
  let session: NativeSession | undefined;
  try {
    session = await engine.createSession(
      buildSessionSpec(config, { accumulate, device, ranks: group.sessionSpec }),
    );
    checkEncoders(config, session);
    if (!group.isFirst) await session.shareState();
    else if (state) await session.importState(state);
    else if (init) await loadInitWeights(session, session.encoderNames()[0]!, init);
    if (group.isFirst) await session.shareState();
    return session;
  } catch (error) {
    session?.dispose();
    throw toVsslError(error, caller);
  }
}
