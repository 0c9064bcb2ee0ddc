/** The oldest Node.js that the package is made for, as package.json's `engines` says, and the Node-API of the addons. */
const OLDEST = [20, 17] as const;
const NODE_API = 9;

/** What is wrong with a Node.js (this process's), in half a sentence; null: nothing. */
export function nodeFault(versions: Partial<NodeJS.ProcessVersions> = process.versions): string | null {
  const [major = 0, minor = 0] = (versions.node ?? '').split('.').map(Number);
  const isOld = major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1]);
  if (!isOld && Number(versions.napi) >= NODE_API) return null;
  return `expected Node.js ${OLDEST.join('.')} or newer, with Node-API ${NODE_API}, but this is ${versions.node ?? 'none'}, with Node-API ${versions.napi ?? 'none'}`;
}
