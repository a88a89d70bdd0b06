import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { foreignShare } from './arithmetic.ts';

/** What processes and the machine had used at one moment, in milliseconds of processor time. */
export interface Reading {
  readonly atMs: number;
  readonly busyMs: number;
  readonly processes: Readonly<Record<number, number>>;
}

/** The unit of Linux's own figures, 10 ms on every machine that Node.js is built for. */
const tickMs = 10;

/** Reads the processor times of these processes, over all their threads. Zero for a process that is gone. */
export const readTimes = (pids: readonly number[]): Reading => ({
  atMs: performance.now(),
  busyMs: busyMs(),
  processes: Object.fromEntries(pids.map((pid) => [pid, processMs(pid)])),
});

/** What passed between two readings. */
export interface Use {
  readonly wallMs: number;
  /** The share of the machine that programs took which are none of ours. */
  readonly foreign: number;
  /** Processor time by process. */
  readonly processes: Readonly<Record<number, number>>;
}

export function useBetween(before: Reading, after: Reading): Use {
  const processes = Object.fromEntries(
    Object.entries(after.processes).map(([pid, ms]) => [pid, ms - (before.processes[Number(pid)] ?? 0)]),
  );
  const wallMs = after.atMs - before.atMs;
  const ownMs = Object.values(processes).reduce((sum, ms) => sum + ms, 0);
  return { wallMs, processes, foreign: foreignShare({ wallMs, cores, busyMs: after.busyMs - before.busyMs, ownMs }) };
}

const cores = cpus().length;

// https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html: the name may have spaces, utime and stime follow it.
function processMs(pid: number): number {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) * tickMs;
  } catch {
    return 0;
  }
}

// https://man7.org/linux/man-pages/man5/proc_stat.5.html: user, nice, system, then idle, iowait, irq, softirq, steal.
// Interrupts are mostly our own packets.
function busyMs(): number {
  try {
    const [, user, nice, system, , , , , steal] =
      readFileSync('/proc/stat', 'latin1').split('\n', 1)[0]?.split(/\s+/) ?? [];
    return [user, nice, system, steal].reduce((sum, ticks) => sum + Number(ticks ?? 0), 0) * tickMs;
  } catch {
    return 0;
  }
}
/** Resident memory of a process in bytes; zero where it is gone. */
export function residentBytes(pid: number): number {
  try {
    const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1')) ?? [];
    return Number(kilobytes ?? 0) * 1_024;
  } catch {
    return 0;
  }
}
