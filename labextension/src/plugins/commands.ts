import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { IDefaultFileBrowser } from '@jupyterlab/filebrowser';
import { ILauncher } from '@jupyterlab/launcher';

import { addChangeCommands } from '../commands/change';
import { addCreateCommand } from '../commands/create';
import { CommandIDs } from '../commands/ids';
import { addOpenCommands } from '../commands/open';
import { addTransferCommands } from '../commands/transfer';
import { addTrashCommands } from '../commands/trash';
import { IPanelSettings, IProjects } from '../tokens';

/** What the palette offers; each asks for the project. */
const IN_PALETTE = [
  CommandIDs.create,
  CommandIDs.importArchive,
  CommandIDs.open,
  CommandIDs.newNotebook,
  CommandIDs.newConsole,
  CommandIDs.pin,
  CommandIDs.extend,
  CommandIDs.edit,
  CommandIDs.duplicate,
  CommandIDs.exportArchive,
  CommandIDs.delete,
  CommandIDs.restore
];

/** All that can be done with projects, as commands: in the palette and in the launcher. */
export const commandsPlugin: JupyterFrontEndPlugin<void> = {
  id: 'cognition-jupyter:commands',
  description: 'Commands that make, change and open projects.',
  autoStart: true,
  requires: [IProjects, IPanelSettings],
  optional: [ICommandPalette, IDefaultFileBrowser, ILauncher],
  activate: (
    app: JupyterFrontEnd,
    projects: IProjects,
    settings: IPanelSettings,
    palette: ICommandPalette | null,
    fileBrowser: IDefaultFileBrowser | null,
    launcher: ILauncher | null
  ) => {
    const { trans } = projects;
    const context = { app, fileBrowser, projects, settings };
    addCreateCommand(context);
    addOpenCommands(context);
    addChangeCommands(context);
    addTransferCommands(context);
    addTrashCommands(context);

    const category = trans.__('Projects');
    for (const command of IN_PALETTE) {
      palette?.addItem({ category, command, args: { isPalette: true } });
    }
    launcher?.add({ category, command: CommandIDs.create, rank: 1 });
    launcher?.add({ category, command: CommandIDs.importArchive, rank: 2 });
  }
};
