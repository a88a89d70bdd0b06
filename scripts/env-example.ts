import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { catalog } from '../src/catalog/index.ts';
import { describeProcessSettings } from '../src/config/process-settings.ts';
import { describeSettings } from '../src/config/settings.ts';

const file = fileURLToPath(new URL('../.env.example', import.meta.url));

/** The text of `.env.example`: every setting with its meaning and its default, commented out. */
export function renderEnvExample(): string {
  const head = [
    '# Every setting of Portico. What is commented out is the default, or is not set.',
    '# Durations: 500ms, 15s, 30m, 72h, 2d. An empty value counts as not set. An unknown PORTICO_ name stops the start.',
    '# Written by `npm run generate`: change src/config/settings.ts or the definition of the process, not this file.',
  ];
  const all = [...describeSettings(), ...describeProcessSettings(catalog)];
  const settings = all.map(({ name, meaning, fallback }) => [`# ${meaning}`, `# ${name}=${fallback ?? ''}`]);
  return [head, ...settings].map((lines) => `${lines.join('\n')}\n`).join('\n');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(file, renderEnvExample());
