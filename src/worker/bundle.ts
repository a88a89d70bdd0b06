import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode } from '@temporalio/worker';
import type { Logger } from 'pino';
import { toSdkLogger } from './runtime.ts';

const ownWorkflows = fileURLToPath(new URL('../../workflows/index.ts', import.meta.url));

/** What `npm run build` made of the workflows; undefined where the program runs from its sources. */
const builtBundle = import.meta.url.endsWith('.ts')
  ? undefined
  : fileURLToPath(new URL('../../workflow-bundle.js', import.meta.url));

/**
 * Bundles the workflows into one script for the sandbox; takes a second or two. Its source map tells file and line of a
 * stack's frames, without columns and without the sources: each worker keeps several copies of the map in memory.
 */
export async function bundleWorkflows(options: {
  logger: Logger;
  workflowsPath?: string | undefined;
}): Promise<string> {
  const { code } = await bundleWorkflowCode({
    workflowsPath: options.workflowsPath ?? ownWorkflows,
    logger: toSdkLogger(options.logger),
    webpackConfigHook: (config) => ({ ...config, devtool: 'inline-nosources-cheap-module-source-map' }),
  });
  return inOneByte(code);
}

/** The same script in characters of one byte: with any other in it a copy in memory takes twice the room. */
const inOneByte = (code: string): string =>
  code.replace(/[^\0-\xff]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);

/** The bundle that was built beforehand, or one built now. */
export async function workflowBundleOf({ bundlePath, logger }: { bundlePath?: string | undefined; logger: Logger }) {
  const codePath = bundlePath ?? builtBundle;
  return codePath === undefined ? { code: await bundleWorkflows({ logger }) } : { codePath };
}
