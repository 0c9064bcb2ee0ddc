/** A control group with a limit of memory, for a process of a test. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';

export interface MemoryGroup {
  /** Program and arguments that start `command` within the group. */
  wrap(command: readonly string[]): [program: string, args: string[]];
  /** How often the kernel ended a process of the group for its memory, null where it does not tell. */
  kills(): number | null;
  remove(): void;
}

/** Where this process's own group of memory stands: version 1, or the unified one. */
function own(): { folder: string; limit: string; events: string } | null {
  for (const line of readFileSync('/proc/self/cgroup', 'utf8').split('\n')) {
    const [, controllers = '', path = ''] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    const at = path === '/' ? '' : path;
    if (controllers.split(',').includes('memory'))
      return {
        folder: `/sys/fs/cgroup/memory${at}`,
        limit: 'memory.limit_in_bytes',
        events: 'memory.oom_control',
      };
    if (controllers === '' && at === '' && line.startsWith('0::'))
      return { folder: '/sys/fs/cgroup', limit: 'memory.max', events: 'memory.events' };
  }
  return null;
}

/** What a process holds that has loaded the engine and done nothing: for CUDA it is more. */
export function engineBytes(): number {
  const load = JSON.stringify(import.meta.resolve('#src/native/load.js'));
  const program = `(await import(${load})).loadEngine(); console.log(process.memoryUsage().rss);`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
    encoding: 'utf8',
  });
  const bytes = Number(stdout);
  if (!(bytes > 0)) throw new Error(`the engine does not load: ${stderr}`);
  return bytes;
}

/** A new group below this process's own, or null where none may be made (no rights, no such system). */
export function makeMemoryGroup(bytes: number): MemoryGroup | null {
  try {
    const place = own();
    if (!place) return null;
    const folder = `${place.folder}/vssl-test-${process.pid}-${bytes}`;
    mkdirSync(folder);
    try {
      writeFileSync(`${folder}/${place.limit}`, String(bytes));
    } catch (error) {
      rmdirSync(folder);
      throw error;
    }
    const group: MemoryGroup = {
      wrap: ([program, ...args]) => [
        'sh',
        ['-c', `echo $$ > ${folder}/cgroup.procs && exec "$@"`, 'sh', program!, ...args],
      ],
      kills() {
        const [, count] = /^oom_kill (\d+)$/m.exec(readFileSync(`${folder}/${place.events}`, 'utf8')) ?? [];
        return count === undefined ? null : Number(count);
      },
      remove: () => rmdirSync(folder),
    };
    // a group may be there that nobody may enter
    if (spawnSync(...group.wrap(['true'])).status === 0) return group;
    group.remove();
    return null;
  } catch {
    return null;
  }
}
