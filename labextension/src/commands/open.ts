import { consoleIcon, folderIcon, notebookIcon } from '@jupyterlab/ui-components';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';

import type { IProject } from '../server/projects';
import { KERNEL } from '../trust/kernels';
import type { ICommandContext } from './context';
import { addProjectCommand } from './context';
import { CommandIDs } from './ids';

/** Add the commands that go to a project's files, or start a session of it. */
export function addOpenCommands(context: ICommandContext): void {
  const { app, fileBrowser } = context;
  const { trans } = context.projects;

  /** Where something new goes. */
  const directory = (
    project: IProject,
    args: ReadonlyPartialJSONObject
  ): string => {
    if (project.contentsPath === null) {
      throw new Error(
        trans.__(
          "The files of projects lie outside of Jupyter's root folder, so that they can not be opened here."
        )
      );
    }
    const here = args.from === 'filebrowser' ? fileBrowser?.model.path : undefined;
    return here ?? project.contentsPath;
  };

  addProjectCommand(context, CommandIDs.open, {
    label: () => trans.__('Open Project'),
    icon: folderIcon,
    failed: trans.__('The project could not be opened'),
    run: async (project, args) => {
      const path = directory(project, args);
      await app.commands.execute('filebrowser:open-path', { path });
    }
  });

  addProjectCommand(context, CommandIDs.newNotebook, {
    label: () => trans.__('New Notebook in Project'),
    icon: notebookIcon,
    failed: trans.__('The notebook could not be made'),
    run: async (project, args) => {
      const cwd = directory(project, args);
      const options = { cwd, kernelName: KERNEL };
      await app.commands.execute('notebook:create-new', options);
    }
  });

  addProjectCommand(context, CommandIDs.newConsole, {
    label: () => trans.__('New Console in Project'),
    icon: consoleIcon,
    failed: trans.__('The console could not be opened'),
    run: async (project, args) => {
      await app.commands.execute('console:create', {
        basePath: directory(project, args),
        kernelPreference: { name: KERNEL, shouldStart: true, canStart: true },
        activate: true
      });
    }
  });
}
