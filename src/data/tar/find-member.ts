import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fsPath } from '../file-names.js';
import { listTar } from './list-tar.js';
import type { MemberSource } from './member-row.js';

/** What the path of a row leads to that goes through a tar file, `/data/clips-0.tar/dog/001.mp4`; null: nothing there. */
export async function findMember(path: string): Promise<MemberSource | null> {
  for (let archive = dirname(path); archive !== dirname(archive); archive = dirname(archive)) {
    const found = await stat(fsPath(archive)).catch(() => null);
    if (found?.isDirectory()) return null;
    if (!found) continue;
    const { members } = await listTar(archive, () => false).catch(() => ({ members: [] }));
    const member = members.findLast(({ kind, name }) => kind === 'file' && `${archive}/${name}` === path);
    if (!member) return null;
    const { name, offset, size } = member;
    return { kind: 'member', path: archive, name, offset, size };
  }
  return null;
}
