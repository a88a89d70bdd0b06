import { setFlagsFromString } from 'node:v8';

let holders = 0;

/** Of a thread that begins meanwhile, in MiB, twice: replaying workflows takes no more CPU time with it than with 16. */
const ofThreads = 2;

/**
 * Keeps the space for new objects as small as it is until the returned function is called. V8 lets that space grow to
 * 32 MiB and more in each thread while modules are loaded, and gives none of it back to a process that is idle. What is
 * alive under load makes it grow later, but not in threads that began meanwhile.
 */
export function holdYoungGeneration(): () => void {
  let isHeld = true;
  holders += 1;
  setFlagsFromString('--semi-space-growth-factor=1');
  setFlagsFromString(`--max-semi-space-size=${ofThreads}`);
  return () => {
    if (!isHeld) return;
    isHeld = false;
    holders -= 1;
    if (holders > 0) return;
    // V8's own values, in every release of Node.js that is supported.
    setFlagsFromString('--semi-space-growth-factor=2');
    setFlagsFromString('--max-semi-space-size=0');
  };
}
