/** How long `work` takes, and the longest time for which the event loop stood still meanwhile, in milliseconds. */
export async function longestStall(work: () => Promise<unknown>): Promise<{ stall: number; total: number }> {
  let [stall, last] = [0, performance.now()];
  const look = () => {
    const now = performance.now();
    stall = Math.max(stall, now - last);
    last = now;
  };
  const timer = setInterval(look, 2);
  const start = last;
  try {
    await work();
  } finally {
    clearInterval(timer);
  }
  look();
  return { stall, total: last - start };
}
