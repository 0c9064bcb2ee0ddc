/** A look at all of the data before the first epoch (indexFirst): which files can be used decides the batch and the length of a run. */
import { throwIfAborted } from '../checks.js';
import type { GetFacts, Manifest, VideoRow } from '../data/rows.js';
import { mapAhead } from '../embed/map-ahead.js';
import { toVsslError, VsslError } from '../errors.js';
import type { TrainEvent } from './events.js';
import { BEFORE_EPOCHS, type Faults, type Find, failOn, toRecord } from './faults.js';

export interface FirstLook {
  readonly manifest: Manifest;
  readonly getFacts: GetFacts;
  /** Files that are looked at at the same time. */
  readonly workers: number;
  readonly onError: 'skip' | 'substitute' | 'fail';
  /** Files that cannot be used are added to it. */
  readonly faults: Faults;
  readonly emit: (event: TrainEvent) => void;
  readonly signal: AbortSignal;
}

/**
 * Asks for the facts of every row. Throws ERR_VSSL_NO_USABLE_VIDEO when no file can be used, ERR_VSSL_DATA for the first
 * that cannot under onError `fail`, and what is not the fault of a file.
 */
export async function lookAtFiles(look: FirstLook): Promise<void> {
  const { manifest, workers, onError, faults, emit, signal } = look;
  const { rows, spec } = manifest;
  let done = 0;
  const lookAt = async (row: VideoRow, index: number) => {
    throwIfAborted(signal);
    const find = await findFault(look.getFacts, row, index);
    done += 1;
    emit({ type: 'index', done, total: rows.length });
    return find;
  };
  const finds: Find[] = [];
  for await (const find of mapAhead(rows, lookAt, workers)) if (find) finds.push(find);
  for (const find of finds) {
    if (onError === 'fail') throw failOn(find);
    const record = toRecord(find, 0);
    faults.addFile(record);
    emit({ type: 'quarantine', ...record });
  }
  if (faults.files.length < rows.length) return;
  const { path, reason } = faults.files[0]!;
  throw new VsslError(
    'ERR_VSSL_NO_USABLE_VIDEO',
    `none of the ${rows.length} videos of ${spec} can be used (${path}: ${reason}); 'vssl-native check --data ${spec}' says why for each`,
    { details: { data: spec, first: path } },
  );
}

async function findFault(getFacts: GetFacts, row: VideoRow, index: number): Promise<Find | null> {
  try {
    await getFacts(row);
    return null;
  } catch (error) {
    const { code, message } = toVsslError(error);
    if (!code.startsWith('ERR_VSSL_VIDEO')) throw error; // not the file's fault
    return { sample: { row, index, epoch: BEFORE_EPOCHS }, code, reason: message, where: -1 };
  }
}
