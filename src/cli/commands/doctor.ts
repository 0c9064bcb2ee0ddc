import type { Command } from 'commander';
import { addCommonOptions, runAction } from '../run-action.js';

/** `vssl-native doctor`: what is found on this machine, and the remedy for what is not. */
export function registerDoctor(program: Command): void {
  addCommonOptions(program.command('doctor'))
    .description('look for everything that is needed, and say how to get what is missing')
    .option('--no-self-test', "leave out the engine's numerical test (some seconds)")
    .action(
      runAction<{ selfTest: boolean }>(async ({ print }, { selfTest }) => {
        const { doctor } = await import('../../native/doctor.js');
        const report = await doctor({ selfTest });
        const marks = { ok: 'ok   ', note: 'note ', fault: 'FAULT' };
        const width = Math.max(...report.checks.map(({ name }) => name.length));
        print(`vssl-native ${report.version} on ${report.platform}`);
        for (const { name, status, found, remedy } of report.checks) {
          print(`${marks[status]}  ${name.padEnd(width)}  ${found}`);
          if (remedy) print(`${' '.repeat(width + 9)}-> ${remedy}`);
        }
        print(
          report.ok
            ? 'all that is needed is there'
            : 'something that is needed is missing: see the lines marked FAULT',
        );
        if (!report.ok) process.exitCode = 3;
        return report;
      }),
    );
}
