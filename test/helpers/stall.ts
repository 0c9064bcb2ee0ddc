/**
 * How long `work` takes, and the longest time for which the event loop stood still meanwhile, in milliseconds: by the clock, or
 * by what the process took of the processors where that is less, so that what other programs take of them does not count.
 */
export async function longestStall(work: () => Promise<unknown>): Promise<{ stall: number; total: number }> {
  const start = performance.now();
  let [stall, last, used] = [0, start, process.cpuUsage()];
  const look = () => {
    const now = performance.now();
    const { user, system } = process.cpuUsage(used);
    stall = Math.max(stall, Math.min(now - last, (user + system) / 1000));
    [last, used] = [now, process.cpuUsage()];
  };
  const timer = setInterval(look, 2);
  try {
    await work();
  } finally {
    clearInterval(timer);
  }
  look();
  return { stall, total: last - start };
}
