import { describe, expect, it } from '@jest/globals';
import type { DocumentRegistry } from '@jupyterlab/docregistry';
import type { INotebookModel, NotebookPanel } from '@jupyterlab/notebook';

import { ProjectKernel } from '../binding/kernel';
import { ServerEvents } from '../server/events';
import { TrustModel } from '../trust/model';
import { connection, json } from './support';

const ID = 'slow-00000001';

/** The kernel that a notebook at `path` starts, where the server answers so. */
async function kernelOf(
  path: string,
  answer: () => Response | Promise<Response>,
  language = 'python'
): Promise<string | undefined> {
  const settings = connection(answer);
  const trust = new TrustModel(settings, new ServerEvents(settings));
  let started: string | undefined;
  const sessionContext = {
    kernelPreference: {} as { name?: string },
    initialize: () => {
      started = sessionContext.kernelPreference.name;
      return Promise.resolve(false);
    },
    specsManager: { ready: Promise.resolve(), specs: { kernelspecs: { cognition: {} } } }
  };
  const context = { path, sessionContext, model: { defaultKernelLanguage: language } };
  const extension = new ProjectKernel(trust, 50).createNew(
    {} as NotebookPanel,
    context as unknown as DocumentRegistry.IContext<INotebookModel>
  );
  await sessionContext.initialize();
  extension.dispose();
  return started;
}

describe('ProjectKernel', () => {
  const never = (): Promise<Response> => new Promise<Response>(() => undefined);
  const none = (): Response => json({ message: 'None.', error: 'project_not_found' }, 404);
  const project = (): Response =>
    json({ project_id: ID, contents_path: `work/${ID}/repo`, trusted: true });

  it('is that of notebooks in a project, and of no others', async () => {
    const path = `work/${ID}/repo/a.ipynb`;
    expect(await kernelOf(path, project)).toBe('cognition');
    expect(await kernelOf(path, project, 'julia')).toBeUndefined();
    expect(await kernelOf(path, none)).toBeUndefined();
    expect(await kernelOf('elsewhere/a.ipynb', project)).toBeUndefined();
  });

  it('is not left for one outside of containers because the server is slow', async () => {
    expect(await kernelOf(`work/${ID}/repo/a.ipynb`, never)).toBe('cognition');
    expect(await kernelOf('elsewhere/a.ipynb', never)).toBeUndefined();
  });
});
