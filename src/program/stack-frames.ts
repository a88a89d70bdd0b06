import { readFileSync } from 'node:fs';
import { SourceMap, type SourceMapPayload } from 'node:module';
import { fileURLToPath } from 'node:url';

type Frame = NodeJS.CallSite & { toString(): string };

/**
 * Names source files in the stack traces of a program of one file. Its source map is read when the first trace is. Of a
 * package's file no line is named: the map tells where it begins.
 */
export function nameSourcesInStacks(file: URL): void {
  const program = fileURLToPath(file);
  let map: SourceMap | undefined;

  /** Where a place in the program comes from; undefined where the map does not say. */
  function sourceOf(line: number, column: number): string | undefined {
    map ??= new SourceMap(JSON.parse(readFileSync(`${program}.map`, 'utf8')) as SourceMapPayload);
    const entry = map.findEntry(line - 1, column - 1);
    if (!('originalSource' in entry)) return undefined;
    const source = entry.originalSource.replace(/^(\.\.\/)+/, '');
    if (source.startsWith('node_modules/')) return source;
    return `${source}:${entry.originalLine + 1}:${entry.originalColumn + 1}`;
  }

  function named(frame: Frame): string {
    const text = frame.toString();
    if (frame.getFileName() !== program) return text;
    const [line, column] = [frame.getLineNumber() ?? 1, frame.getColumnNumber() ?? 1];
    return text.replace(`${program}:${line}:${column}`, (place) => sourceOf(line, column) ?? place);
  }

  Error.prepareStackTrace = (error, frames: Frame[]) => {
    const head = headOf(error);
    try {
      return [head, ...frames.map((frame) => `    at ${named(frame)}`)].join('\n');
    } catch {
      // Without its source map a trace names the program.
      return [head, ...frames.map((frame) => `    at ${frame.toString()}`)].join('\n');
    }
  };
}

function headOf(error: Error): string {
  try {
    return Error.prototype.toString.call(error);
  } catch {
    return '<error>';
  }
}
