import { setFlagsFromString } from 'node:v8';

let holders = 0;

/**
 * Keeps the space for new objects as small as it is, in this thread and in those that begin meanwhile, until the returned
 * function is called. V8 lets that space grow to 32 MiB and more in each thread while modules are loaded, and gives none
 * of it back to a process that is idle. What is alive under load makes it grow when it is needed.
 */
export function holdYoungGeneration(): () => void {
  let isHeld = true;
  holders += 1;
  setFlagsFromString('--semi-space-growth-factor=1');
  return () => {
    if (!isHeld) return;
    isHeld = false;
    holders -= 1;
    // V8's own value, in every release of Node.js that is supported.
    if (holders === 0) setFlagsFromString('--semi-space-growth-factor=2');
  };
}
