import { expect, it } from 'vitest';
import { runCommand } from '../../src/commands/command-line.ts';

it.each(['serve', 'constructor', 'toString'])('there is no command %s', async (name) => {
  await expect(Promise.resolve().then(() => runCommand(name, [], {}))).rejects.toThrow(
    `There is no command "${name}": give none to serve, or one of migrate`,
  );
});
