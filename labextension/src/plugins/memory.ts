import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ILabStatus, ILayoutRestorer } from '@jupyterlab/application';
import { ICommandPalette, WidgetTracker } from '@jupyterlab/apputils';
import { IEditorServices } from '@jupyterlab/codeeditor';
import { IDefaultFileBrowser } from '@jupyterlab/filebrowser';
import { treeViewIcon } from '@jupyterlab/ui-components';

import { addProjectCommand } from '../commands/context';
import { CommandIDs } from '../commands/ids';
import type { MemoryView } from '../memory/view';
import type { PanelSettings } from '../model/settings';
import type { SessionsModel } from '../sessions/model';
import { IPanelSettings, IProjects, ISessions } from '../tokens';

/** What is done with the active row or the open file of the memory view in front. */
const MemoryCommandIDs = {
  save: 'cognition:save-memory-file',
  create: 'cognition:new-memory-file',
  upload: 'cognition:upload-memory-files',
  download: 'cognition:download-memory-file',
  remove: 'cognition:delete-memory-file',
  snapshot: 'cognition:take-snapshot'
} as const;

const ROW = '.jp-CognitionMemory-row[data-path]';

/** The memory view in the main area. */
export const memoryPlugin: JupyterFrontEndPlugin<void> = {
  id: 'cognition-jupyter:memory',
  description: "Shows a project's memory and its history.",
  autoStart: true,
  requires: [IProjects, ISessions, IPanelSettings, IEditorServices],
  optional: [ILayoutRestorer, ILabStatus, ICommandPalette, IDefaultFileBrowser],
  activate: (
    app: JupyterFrontEnd,
    projects: IProjects,
    sessions: SessionsModel,
    settings: PanelSettings,
    editors: IEditorServices,
    restorer: ILayoutRestorer | null,
    status: ILabStatus | null,
    palette: ICommandPalette | null,
    fileBrowser: IDefaultFileBrowser | null
  ) => {
    const { trans } = projects;
    const { commands } = app;
    const tracker = new WidgetTracker<MemoryView>({
      namespace: 'cognition-memory'
    });

    const context = { app, fileBrowser, projects, settings };
    addProjectCommand(context, CommandIDs.memory, {
      label: () => trans.__('Open Memory'),
      icon: treeViewIcon,
      failed: trans.__('The memory could not be opened'),
      run: async ({ id: projectId }) => {
        const { MemoryView } = await import('../views');
        const { kernels } = app.serviceManager;
        const open = tracker.find(one => one.model.projectId === projectId);
        if (open !== undefined) {
          app.shell.activateById(open.id);
          return;
        }
        const options = { projects, sessions, projectId, editors, kernels, status };
        const view = new MemoryView(options);
        app.shell.add(view, 'main', { type: 'Memory' });
        await tracker.add(view);
      }
    });
    palette?.addItem({ category: trans.__('Projects'), command: CommandIDs.memory });
    void restorer?.restore(tracker, {
      command: CommandIDs.memory,
      args: view => ({ project_id: view.model.projectId }),
      name: view => view.model.projectId
    });

    const add = (
      id: string,
      label: string,
      act: (view: MemoryView) => unknown
    ): void => {
      commands.addCommand(id, {
        label,
        isEnabled: () => tracker.currentWidget !== null,
        execute: () => tracker.currentWidget && act(tracker.currentWidget),
        describedBy: { args: { type: 'object', properties: {} } }
      });
    };
    const ids = MemoryCommandIDs;
    add(ids.save, trans.__('Save the File'), view => view.actions.save());
    add(ids.create, trans.__('New File'), view => view.actions.create());
    add(ids.upload, trans.__('Upload Files'), view => {
      view.actions.chooseUpload();
    });
    add(ids.download, trans.__('Download'), view => view.actions.download());
    add(ids.remove, trans.__('Delete'), view => view.actions.remove());
    add(ids.snapshot, trans.__('Take a Snapshot'), view => view.actions.takeSnapshot());
    commands.addKeyBinding({
      command: ids.save,
      keys: ['Accel S'],
      selector: '.jp-CognitionMemory'
    });
    [ids.create, ids.upload, ids.download, ids.remove].forEach((command, rank) => {
      app.contextMenu.addItem({ command, selector: ROW, rank });
    });
  }
};
