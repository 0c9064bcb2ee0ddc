/** One HTML file about runs: how they learnt, what they came to, and what their encoders make of clips. */
import { throwIfAborted } from '../checks.js';
import { openEngine } from '../native/load.js';
import { checkOutFile, writeResultFile } from '../weights/atomic-write.js';
import { showAugmentations } from './augmentations.js';
import { type ClipMap, makeMap } from './map.js';
import { type ReportContent, reportPage } from './page.js';
import { pickClips } from './pick-clips.js';
import { checkSameData, readRuns } from './read-run.js';
import { checkReportOptions, type ReportOptions } from './report-options.js';
import { makeSprites } from './sprites.js';

export interface ReportResult {
  readonly out: string;
  readonly bytes: number;
  readonly runs: readonly {
    readonly folder: string;
    /** training: a process is at it; stopped: none is, and steps are left. */
    readonly state: 'finished' | 'training' | 'stopped';
    readonly step: number;
  }[];
  /** Clips on the map; 0: there is none. */
  readonly clips: number;
  readonly warnings: readonly string[];
  readonly seconds: number;
}

type Checked = ReturnType<typeof checkReportOptions>;

/**
 * Writes a page that needs nothing beside it. Throws ERR_VSSL_INVALID_ARGUMENT for wrong options, ERR_VSSL_FILE for a run
 * folder that is not there, ERR_VSSL_USAGE for one that is none, and for runs of different data without `separate`;
 * ERR_VSSL_WRITE, what loading encoders and reading `data` throws, and the signal's reason.
 */
export async function writeReport(options: ReportOptions): Promise<ReportResult> {
  const began = performance.now();
  const checked = checkReportOptions(options);
  await checkOutFile(checked.out);
  const content = await gatherReport(checked);
  const page = reportPage(content);
  await writeResultFile(checked.out, page);
  return resultOf(checked.out, content, page, began);
}

export function resultOf(out: string, content: ReportContent, page: string, began: number): ReportResult {
  return {
    out,
    bytes: Buffer.byteLength(page),
    runs: content.runs.map(({ folder, state, step }) => ({ folder, state, step })),
    clips: content.map?.clips.length ?? 0,
    warnings: [...content.warnings, ...content.runs.flatMap((run) => run.warnings)],
    seconds: (performance.now() - began) / 1000,
  };
}

/** Everything that the page shows. */
export async function gatherReport(options: Checked): Promise<ReportContent> {
  const { separate, signal } = options;
  const runs = await readRuns(options.runs);
  if (!separate) checkSameData(runs);
  const warnings: string[] = [];
  // encoders first: where they run decides which build of the engine is loaded
  const picked = await pickClips(runs, { ...options, most: options.clips }, warnings);
  const engine = await openEngine(options.device ?? 'auto');
  const loader = engine.createLoader({ threads: options.threads ?? 4, cacheBytes: 0 });
  try {
    const views = [];
    for (const run of runs) {
      throwIfAborted(signal);
      views.push({ run: run.name, samples: await showAugmentations(run, engine, loader, warnings) });
    }
    const content = { runs, separate, views, warnings };
    let map: ClipMap | null = null;
    if (picked) {
      const maxBytes = options.maxBytes - Buffer.byteLength(reportPage({ ...content, map })) - ROOM;
      const shown = await makeSprites(picked.rows, {
        ...options,
        engine,
        loader,
        maxBytes: maxBytes - picked.rows.length * PER_CLIP,
      });
      if (shown.every(({ thumbnail }) => !thumbnail))
        warnings.push(`the clips have no pictures: ${shown[0]!.reason}`);
      map = await makeMap(picked, shown, signal);
    }
    return { ...content, map };
  } finally {
    loader.dispose();
  }
}

/** What the page needs beside pictures: the sections of the map, and each clip's rule, name and neighbours. */
const ROOM = 100_000;
const PER_CLIP = 900;
