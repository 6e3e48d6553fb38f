import type { TranslationBundle } from '@jupyterlab/translation';
import { VDomRenderer } from '@jupyterlab/ui-components';
import type { CommandRegistry } from '@lumino/commands';
import type { Message } from '@lumino/messaging';
import * as React from 'react';

import { isUsable } from '../commands/context';
import { CommandIDs } from '../commands/ids';
import { describe } from '../failure';
import { ALL } from '../model/filter';
import type { PanelModel } from '../model/panel';
import type { IProject } from '../server/projects';
import { Filters } from './filters';
import type { IGrid } from './grid';
import { Grid } from './grid';
import { ProjectMenu } from './menu';
import type { IRowActions } from './row';
import { Row } from './row';

/** The section with the projects. */
export class ProjectListView extends VDomRenderer<PanelModel> {
  constructor(
    model: PanelModel,
    commands: CommandRegistry,
    trans: TranslationBundle
  ) {
    super(model);
    this._commands = commands;
    this._menu = new ProjectMenu({ commands });
    // Before the command that was chosen, which may want the focus itself.
    this._menu.aboutToClose.connect(() => this._grid.current?.focus());
    this._trans = trans;
    this.addClass('jp-CognitionProjects-list');
  }

  override dispose(): void {
    this._menu.dispose();
    super.dispose();
  }

  protected override render(): React.JSX.Element {
    const { all, filter, isCutOff, projects, rows, tags } = this.model;
    const trans = this._trans;
    return (
      <>
        {isCutOff ? (
          <p role="status" className="jp-CognitionProjects-cutOff">
            {trans.__(
              'The connection to the server is lost. What is shown may be old; it is being tried again.'
            )}
          </p>
        ) : (
          projects.error && (
            <p role="alert" className="jp-CognitionProjects-error">
              {describe(projects.error, trans)}
            </p>
          )
        )}
        {all && (
          <Filters
            filter={filter}
            tags={tags}
            trans={trans}
            onChange={changed => {
              this.model.filter = changed;
            }}
            onLeave={() => this._grid.current?.focus()}
          />
        )}
        {all && (rows.length > 0 ? this._renderRows(rows) : this._renderNone(all))}
      </>
    );
  }

  private _renderNone(all: readonly IProject[]): React.JSX.Element {
    const trans = this._trans;
    const { filter } = this.model;
    const isTrash = filter.shown === 'trashed';
    if (all.length > 0 || (filter.shown !== 'all' && !isTrash)) {
      return (
        <div role="status" className="jp-CognitionProjects-note">
          <p>{trans.__('No project is like that.')}</p>
          <button
            type="button"
            className="jp-mod-styled"
            onClick={() => {
              this.model.filter = ALL;
            }}
          >
            {trans.__('Show all projects')}
          </button>
        </div>
      );
    }
    return (
      <div role="status" className="jp-CognitionProjects-note">
        <p>
          {isTrash ? trans.__('The trash is empty.') : trans.__('No projects yet.')}
        </p>
        {!isTrash && (
          <button
            type="button"
            className="jp-mod-styled jp-mod-accept"
            onClick={() => void this._commands.execute(CommandIDs.create)}
          >
            {trans.__('New Project')}
          </button>
        )}
      </div>
    );
  }

  private _renderRows(rows: readonly IProject[]): React.JSX.Element {
    const { settings, sizes } = this.model;
    const byId = new Map(rows.map(project => [project.id, project]));
    const now = Date.now();
    return (
      <>
        <Grid
          ref={this._grid}
          label={this._trans.__('Projects')}
          ids={[...byId.keys()]}
          onView={ids => {
            this._inView = ids;
            this._wantSizes();
          }}
          onKeyDown={(id, event) => {
            this._onKeyDown(id, event);
          }}
          onMenu={(id, x, y) => {
            this._openMenu(id, x, y);
          }}
          renderRow={id => {
            const project = byId.get(id);
            return project ? (
              <Row
                project={project}
                sizes={sizes.of(id)}
                now={now}
                warningDays={settings.warningDays}
                extendDays={settings.extendDays}
                actions={this._actions(project)}
                trans={this._trans}
              />
            ) : (
              <></>
            );
          }}
        />
        <p role="status" className="jp-CognitionProjects-count">
          {this._trans._n('%1 project', '%1 projects', rows.length)}
        </p>
      </>
    );
  }

  /** Only of projects in view whose files are there to be measured. */
  private _wantSizes(): void {
    const { projects, sizes } = this.model;
    const inView = this._inView.map(id => projects.project(id));
    const usable = inView.filter(project => project !== undefined).filter(isUsable);
    sizes.want(this.isVisible ? usable.map(project => project.id) : []);
  }

  protected override onAfterShow(message: Message): void {
    super.onAfterShow(message);
    this._wantSizes();
  }

  protected override onAfterHide(message: Message): void {
    super.onAfterHide(message);
    this._wantSizes();
  }

  private _onKeyDown(id: string, event: React.KeyboardEvent): void {
    switch (event.key) {
      case 'Enter':
        event.preventDefault();
        this._run(CommandIDs.open, id);
        break;
      case 'Delete':
        event.preventDefault();
        this._run(CommandIDs.delete, id);
    }
  }

  private _actions({ id, status }: IProject): IRowActions {
    const run = (command: string, args = {}) => (): void => {
      this._run(command, id, args);
    };
    return {
      open: status === 'trashed' ? () => undefined : run(CommandIDs.open),
      newNotebook: run(CommandIDs.newNotebook),
      pin: run(CommandIDs.pin),
      extend: run(CommandIDs.extend, { days: this.model.settings.extendDays }),
      restore: run(CommandIDs.restore),
      delete: run(CommandIDs.delete),
      menu: (x, y) => {
        this._openMenu(id, x, y);
      }
    };
  }

  private _run(command: string, id: string, args = {}): void {
    void this._commands.execute(command, { ...args, project_id: id });
  }

  private _openMenu(id: string, x: number, y: number): void {
    this._menu.openFor(id, x, y);
  }

  private readonly _commands: CommandRegistry;
  private readonly _trans: TranslationBundle;
  private readonly _menu: ProjectMenu;
  private _inView: readonly string[] = [];
  private readonly _grid = React.createRef<IGrid>();
}
