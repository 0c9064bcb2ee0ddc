/** `{seed}` in a specification of data: each seed has videos of its own. */
import type { ResolvedConfig } from '../config/schema.js';
import { chooseTestData } from '../eval/test-data.js';

const PLACE = '{seed}';

export interface SeededSpecs {
  readonly data: string;
  readonly test?: string | undefined;
  readonly folds?: string | undefined;
}

/** Whether seeds have data of their own. */
export function variesBySeed({ data, test = '' }: SeededSpecs): boolean {
  return data.includes(PLACE) || test.includes(PLACE);
}

export function ofSeed(spec: string, seed: number): string {
  return spec.replaceAll(PLACE, String(seed));
}

/** An arm's configuration with this seed: training's, and the data's where it says so. */
export function configOfSeed(config: ResolvedConfig, seed: number): ResolvedConfig {
  const { data, train } = config;
  return {
    ...config,
    data: { ...data, path: ofSeed(data.path!, seed) },
    train: { ...train, seed },
  };
}

/** What trains and tests the probes of a seed. Throws ERR_VSSL_USAGE. */
export function testDataOf({ data, test, folds }: SeededSpecs, seed: number) {
  return chooseTestData({
    data: ofSeed(data, seed),
    ...(test !== undefined && { test: ofSeed(test, seed) }),
    ...(folds !== undefined && { folds }),
  });
}
