import ts from 'typescript';
import { beforeAll, describe, expect, it } from 'vitest';
import { rightDefinition, workflowModule, wrongDefinitions } from '../fixtures/wrong-definitions.ts';

const here = import.meta.dirname;
const definitionFile = (index: number) => `${here}/virtual-definition-${index}.ts`;
const strictCheck = 'draft: D & Checked<M, D>';

/** Compiles definitions that exist in memory only, and gives what the compiler says about each. */
function complaintsAbout(definitions: readonly string[], defineProcess: { looseCheck: boolean }): string[] {
  const virtual = new Map([
    [`${here}/virtual-workflow.ts`, workflowModule],
    ...definitions.map((text, index) => [definitionFile(index), text] as const),
  ]);
  const { options } = ts.parseJsonConfigFileContent(
    ts.readConfigFile(`${here}/../../tsconfig.json`, (path) => ts.sys.readFile(path)).config,
    ts.sys,
    `${here}/../..`,
  );
  const host = ts.createCompilerHost(options);
  host.fileExists = (path) => virtual.has(path) || ts.sys.fileExists(path);
  host.readFile = (path) => {
    const text = virtual.get(path) ?? ts.sys.readFile(path);
    return defineProcess.looseCheck && path.endsWith('/define-process.ts') ? loosened(text) : text;
  };
  host.getSourceFile = (path, languageVersion) => {
    const text = host.readFile(path);
    return text === undefined ? undefined : ts.createSourceFile(path, text, languageVersion);
  };
  const program = ts.createProgram([...virtual.keys()], { ...options, noUnusedLocals: false }, host);
  return definitions.map((_, index) =>
    ts
      .getPreEmitDiagnostics(program, program.getSourceFile(definitionFile(index)))
      .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))
      .join('\n'),
  );
}

function loosened(text: string | undefined): string | undefined {
  if (text?.includes(strictCheck) !== true) throw new Error('define-process.ts no longer reads as this test expects');
  return text.replace(strictCheck, 'draft: D');
}

describe('defineProcess', () => {
  let complaints: string[];
  let looseComplaints: string[];
  const definitions = [rightDefinition, ...wrongDefinitions.map(({ text }) => text)];

  beforeAll(() => {
    complaints = complaintsAbout(definitions, { looseCheck: false });
    looseComplaints = complaintsAbout(definitions, { looseCheck: true });
  });

  it('accepts a definition that fits its workflow file', () => {
    expect(complaints[0]).toBe('');
  });

  it.each(wrongDefinitions.map((definition, index) => ({ ...definition, index: index + 1 })))(
    'lets the compiler reject $name',
    ({ message, index }) => {
      expect(complaints[index]).toContain(message);
    },
  );

  it('owes each rejection to its own check: without it the same definitions compile', () => {
    expect(looseComplaints.filter((complaint) => complaint !== '')).toEqual([]);
  });
});
