import type { copyCheckout } from '../harness/checkout.ts';
import type { PlantedBug } from './planted-bug.ts';

type Checkout = Pick<ReturnType<typeof copyCheckout>, 'read' | 'write'>;

/** Which texts of a bug do not stand exactly once in their file, each with its place. */
export const textsThatDoNotFit = ({ edits }: PlantedBug, read: (file: string) => string): string[] =>
  edits.flatMap(({ file, find }) => {
    const count = read(file).split(find).length - 1;
    return count === 1 ? [] : [`${file} has ${count} times: ${find.trim().split('\n')[0] ?? ''}`];
  });

/** Changes the copy so that it has the bug. */
export function plant(bug: PlantedBug, { read, write }: Checkout): void {
  // A function, so that no `$` of the text is read as a pattern.
  for (const { file, find, put } of bug.edits)
    write(
      file,
      read(file).replace(find, () => put),
    );
}
