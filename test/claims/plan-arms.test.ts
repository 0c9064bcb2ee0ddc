import test from 'ava';
import { chooseClaims, planArms, withClaims } from '#src/claims/plan-arms.js';
import { getMeasure } from '#src/eval/measures.js';
import type { Method } from '#src/methods/method.js';
import { getMethod, listMethods } from '#src/methods/registry.js';

const options = { data: 'synthetic:motion', budget: 90 };

test("every claim's arms are runs of its method, different ones, with a measure that there is", (t) => {
  for (const method of listMethods()) {
    const { arms, claims } = planArms(method, method.claims, options);
    t.is(claims.length, method.claims.length);
    for (const { claim, arms: ids } of claims) {
      t.is(getMeasure(claim.measure).name, claim.measure);
      t.true(ids.length >= 2);
      t.is(new Set(ids).size, claim.arms.length);
    }
    for (const { config } of arms) t.is(config.method, method.name);
  }
});

test('a method that claims nothing is not asked, and not listed', (t) => {
  t.throws(() => chooseClaims(getMethod('finetune'), undefined), {
    code: 'ERR_VSSL_USAGE',
    message: /'finetune' makes no claims/,
  });
  t.true(withClaims(listMethods(), undefined).every(({ claims }) => claims.length > 0));
});

test('arms that come to the same configuration are one run', (t) => {
  const cvrl = getMethod('cvrl');
  const { arms, claims } = planArms(
    cvrl,
    chooseClaims(cvrl, ['consistent-augmentation', 'temporal-and-spatial']),
    options,
  );
  t.is(claims[0]!.arms[0], claims[1]!.arms[0], "'consistent' and 'both' change nothing");
  t.is(arms.length, 4);
  const [first] = arms;
  t.is(first!.name, 'consistent');
  const alone = planArms(cvrl, chooseClaims(cvrl, ['temporal-and-spatial']), options);
  t.is(alone.claims[0]!.arms[0], first!.id, 'a run is found again whichever claims are asked for');
});

test('the budget is the length of every arm, times its own, and the warm-up goes with it', (t) => {
  const method: Method = {
    ...getMethod('cvrl'),
    claims: [
      {
        name: 'longer',
        statement: '',
        source: '',
        measure: 'linear',
        arms: [
          { name: 'twice', config: {}, budget: 2 },
          { name: 'once', config: {} },
        ],
      },
    ],
  };
  const { arms } = planArms(method, method.claims, options);
  t.deepEqual(
    arms.map(({ config }) => [config.train.steps, config.train.epochs, config.train.schedule.warmupSteps]),
    [
      [180, null, 9],
      [90, null, 5],
    ],
  );
  const set = planArms(method, method.claims, { ...options, set: ['train.batch=8', 'model.width=0.125'] });
  t.true(set.arms.every(({ config }) => config.train.batch === 8 && config.model.width === 0.125));
  t.notDeepEqual(
    set.arms.map(({ id }) => id),
    arms.map(({ id }) => id),
  );
  t.throws(() => planArms(method, method.claims, { ...options, budget: 0.5 }), {
    code: 'ERR_VSSL_INVALID_ARGUMENT',
  });
});

test('settings that make two arms of a claim the same are refused; wrong names too', (t) => {
  const cvrl = getMethod('cvrl');
  const same: Method = {
    ...cvrl,
    claims: [
      {
        ...cvrl.claims[0]!,
        name: 'same',
        arms: [
          { name: 'a', config: {} },
          { name: 'b', config: { data: { augment: { perFrame: false } } } },
        ],
      },
    ],
  };
  t.throws(() => planArms(same, same.claims, options), { code: 'ERR_VSSL_CONFIG', message: /'a' and 'b'/ });
  t.throws(() => chooseClaims(cvrl, ['consistent-augmentatoin']), {
    code: 'ERR_VSSL_USAGE',
    message: /did you mean 'consistent-augmentation'/,
  });
  t.is(chooseClaims(cvrl, []), cvrl.claims);
  t.throws(() => planArms(getMethod('moco'), getMethod('moco').claims, { ...options, preset: 'cvrl-tiny' }), {
    code: 'ERR_VSSL_CONFIG',
    message: /'cvrl-tiny' is of another method; expected one of moco: moco, moco-tiny/,
  });
});

test('claims of many methods: those that make them are left', (t) => {
  const shown = withClaims(listMethods(), ['cross-modal', 'shifted']);
  t.deepEqual(
    shown.map(({ name, claims }) => [name, claims.map((claim) => claim.name)]),
    [['modist', ['cross-modal', 'shifted']]],
  );
  t.throws(() => withClaims(listMethods(), ['cross-modall']), {
    code: 'ERR_VSSL_USAGE',
    message: /did you mean 'cross-modal'/,
  });
});
