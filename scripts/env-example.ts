import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describeLocalSettings } from '../local/settings.ts';
import { describeSettings, type SettingDescription } from '../src/config/settings.ts';

const file = fileURLToPath(new URL('../.env.example', import.meta.url));

/** The text of `.env.example`: every setting with its meaning and its default, commented out. */
export function renderEnvExample(): string {
  const head = [
    '# Every setting of Portico. What is commented out is the default, or is not set.',
    '# Durations: 500ms, 15s, 30m, 72h, 2d. An empty value counts as not set. An unknown PORTICO_ name stops the start.',
    '# Written by `npm run generate`: change src/config/settings.ts and local/settings.ts, not this file.',
  ];
  const local = ['# What `npm start` reads for itself, and no other program.'];
  const parts = [head, ...describeSettings().map(linesFor), local, ...describeLocalSettings().map(linesFor)];
  return parts.map((lines) => `${lines.join('\n')}\n`).join('\n');
}

const linesFor = ({ name, meaning, fallback }: SettingDescription): string[] => [
  `# ${meaning}`,
  `# ${name}=${fallback ?? ''}`,
];

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(file, renderEnvExample());
