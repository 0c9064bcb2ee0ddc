import { setTimeout as sleep } from 'node:timers/promises';
const SHORTEST_TURN = 0.01;
const WARM_BELOW = 0.05;
const ESTIMATES = 5;
const LONG = 1; // known well enough from one call
/** Calls until the time is known well enough to say how many calls make a turn. */
export async function planTurn(call) {
    const times = [];
    do
        times.push(await secondsOf(call, 1));
    while (times.length < ESTIMATES && times.at(-1) < (times.length < 2 ? LONG : WARM_BELOW));
    return planFor(Math.min(...times));
}
export function planFor(secondsPerCall) {
    return {
        repeats: Math.max(1, Math.ceil(SHORTEST_TURN / Math.max(secondsPerCall, 1e-7))),
        warm: secondsPerCall < WARM_BELOW,
    };
}
/** Seconds per call of one turn. */
export async function takeTurn(call, { repeats, warm }) {
    if (warm)
        await call();
    return (await secondsOf(call, repeats)) / repeats;
}
/**
 * Mean of a turn's measurements: `measure` gives the seconds it found. The first is not counted: after a long call the
 * threads may share a core for some milliseconds, until the system spreads them.
 */
export function limitTurn(measure) {
    const found = [];
    measure();
    const start = performance.now();
    do
        found.push(measure());
    while (performance.now() - start < 1000 * SHORTEST_TURN);
    return found.reduce((sum, seconds) => sum + seconds, 0) / found.length;
}
/** Until the threads of the side that ran sleep: ours look for work for 50 us, those of OpenMP for some milliseconds. */
export async function settle() {
    await sleep(10);
}
async function secondsOf(call, repeats) {
    const start = performance.now();
    for (let k = 0; k < repeats; k++) {
        const pending = call();
        if (pending)
            await pending;
    }
    return (performance.now() - start) / 1000;
}
