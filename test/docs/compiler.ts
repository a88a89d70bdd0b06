import { readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import ts from 'typescript';

/**
 * What the compiler says about these files of a project and what they import, as often as they change. Much faster than
 * running it anew.
 */
export function createCompiler(folder: string, files: readonly string[]) {
  const { config } = ts.readConfigFile(join(folder, 'tsconfig.json'), (path) => readFileSync(path, 'utf8')) as {
    config: unknown;
  };
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, folder);
  const existing = () => files.map((file) => join(folder, file)).filter((path) => ts.sys.fileExists(path));
  const service = ts.createLanguageService({
    fileExists: ts.sys.fileExists,
    readFile: ts.sys.readFile,
    readDirectory: ts.sys.readDirectory,
    directoryExists: ts.sys.directoryExists,
    getDirectories: ts.sys.getDirectories,
    useCaseSensitiveFileNames: () => ts.sys.useCaseSensitiveFileNames,
    getScriptFileNames: existing,
    getScriptVersion: (path) => {
      const status = statSync(path, { throwIfNoEntry: false });
      return status === undefined ? 'none' : `${status.mtimeMs} ${status.size}`;
    },
    getScriptSnapshot: (path) => {
      const text = ts.sys.readFile(path);
      return text === undefined ? undefined : ts.ScriptSnapshot.fromString(text);
    },
    getCurrentDirectory: () => folder,
    getCompilationSettings: () => options,
    getDefaultLibFileName: ts.getDefaultLibFilePath,
  });
  return {
    /** The errors in one of the files, or in all that are there, each with the name of its file. */
    errors: (file?: string): string[] =>
      (file === undefined ? existing() : [join(folder, file)]).flatMap((path) =>
        service
          .getSemanticDiagnostics(path)
          .map(({ messageText }) => `${relative(folder, path)}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`),
      ),
    close: () => service.dispose(),
  };
}
