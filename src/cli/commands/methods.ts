import type { Command } from 'commander';
import { addMethodsOption } from '../own-methods.js';
import { addCommonOptions, runAction } from '../run-action.js';

/** `vssl-native methods`: what can be trained, with each method's paper, options and claims. */
export function registerMethods(program: Command): void {
  addMethodsOption(addCommonOptions(program.command('methods [name]')))
    .description("the methods, with each one's paper, options and claims")
    .action(
      runAction(async ({ print }, _options, [name]) => {
        const { describeMethods, formatMethod, formatMethodList } = await import('../describe-methods.js');
        const methods = describeMethods(name);
        print(name === undefined ? formatMethodList(methods) : formatMethod(methods[0]!));
        return { methods };
      }),
    );
}
