import type { Command } from 'commander';
import { parseCount } from '../action-helpers.js';
import { repeatable } from '../config-flags.js';
import { formatComparison } from '../format-comparison.js';
import { addCommonOptions, runAction } from '../run-action.js';

interface CompareFlags {
  readonly metric: readonly string[];
  readonly points?: number;
}

/** `vssl-native compare`: runs side by side. */
export function registerCompare(program: Command): void {
  addCommonOptions(program.command('compare <run...>'))
    .description(
      'runs side by side: what differs in their configurations, curves at equal steps, evaluations with paired differences from the first',
    )
    .addOption(
      repeatable('--metric <name>', 'curve of this entry of metrics.jsonl (default: loss, and evaluations)'),
    )
    .option('--points <n>', 'equal steps at which curves are told (default: 8)', parseCount)
    .action(
      runAction<CompareFlags>(async ({ print, logger }, { metric, points }, runs) => {
        const { compareRuns } = await import('../../compare/compare-runs.js');
        const comparison = await compareRuns({
          runs,
          metrics: metric.length > 0 ? metric : undefined,
          points,
        });
        print(formatComparison(comparison));
        for (const warning of comparison.warnings) logger.warn(warning);
        return comparison;
      }),
    );
}
