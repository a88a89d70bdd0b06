import { until } from '../harness/until.ts';
import { type Program, startProgram } from './program.ts';

export type RelayProgram = Program & {
  /** Resolves with where its metrics are, once it runs. */
  readonly adminUrl: () => Promise<string>;
};

const command = ['--import', 'tsx', 'relay/main.ts'];

/** Starts a relay as a process of its own, as `npm run relay` does. */
export function startRelayProgram(environment: Readonly<Record<string, string>>): RelayProgram {
  const program = startProgram(command, { RELAY_ADMIN_PORT: '0', ...environment });
  return {
    ...program,
    async adminUrl(): Promise<string> {
      const line = await until(
        () => /"adminUrl":"([^"]+)"/.exec(program.log())?.[1],
        (url) => url !== undefined || program.isOver(),
      );
      if (line === undefined) throw new Error(`the relay does not run:\n${program.log()}`);
      return line;
    },
  };
}

/** Runs one command of the relay to its end. */
export async function relayCommand(words: readonly string[], environment: Readonly<Record<string, string>>) {
  const program = startProgram([...command, ...words], environment);
  const { code } = await program.exited;
  return { code, text: program.log() };
}
