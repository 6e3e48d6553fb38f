import type { TranslationBundle } from '@jupyterlab/translation';
import { VDomRenderer } from '@jupyterlab/ui-components';
import * as React from 'react';

import { describe } from '../failure';
import type { ProjectsModel } from '../model/projects';
import type { IProject, IProjectList } from '../server/projects';

/** The scrolling part of the panel. */
export class ProjectListView extends VDomRenderer<ProjectsModel> {
  constructor(
    model: ProjectsModel,
    trans: TranslationBundle,
    open: (contentsPath: string) => void
  ) {
    super(model);
    this._trans = trans;
    this._open = open;
    this.addClass('jp-CognitionProjects-list');
  }

  protected override render(): React.JSX.Element {
    const { error, list } = this.model;
    return (
      <>
        {error && (
          <p role="alert" className="jp-CognitionProjects-error">
            {describe(error, this._trans)}
          </p>
        )}
        {list && (list.total === 0 ? this._renderNone() : this._renderAll(list))}
      </>
    );
  }

  private _renderNone(): React.JSX.Element {
    return (
      <div role="status" className="jp-CognitionProjects-note">
        <p>{this._trans.__('No projects yet.')}</p>
        <p>{this._trans.__('Make one with a REST call: POST /api/projects')}</p>
      </div>
    );
  }

  private _renderAll(list: IProjectList): React.JSX.Element {
    const { projects, total } = list;
    return (
      <>
        {/* The role is for browsers that drop it from lists without bullets. */}
        <ul role="list" aria-label={this._trans.__('Projects')}>
          {projects.map(project => (
            <li key={project.id}>{this._renderProject(project)}</li>
          ))}
        </ul>
        {projects.length < total && (
          <p className="jp-CognitionProjects-note">
            {this._trans.__(
              'The %1 used last, of %2 projects.',
              projects.length,
              total
            )}
          </p>
        )}
      </>
    );
  }

  /** A button, so that keyboard and screen readers need nothing from us. */
  private _renderProject(project: IProject): React.JSX.Element {
    const { activeSessions, brokenReason, contentsPath } = project;
    const sessions = this._trans._n(
      '%1 live session',
      '%1 live sessions',
      activeSessions
    );
    return (
      <button
        type="button"
        className="jp-CognitionProjects-project"
        // Not `disabled`: that would hide a broken project from the Tab key.
        aria-disabled={contentsPath === null}
        onClick={() => {
          if (contentsPath !== null) {
            this._open(contentsPath);
          }
        }}
      >
        <span className="jp-CognitionProjects-name" title={project.id}>
          {project.id}
        </span>
        {activeSessions > 0 && (
          <span
            role="img"
            className="jp-CognitionProjects-live"
            aria-label={sessions}
            title={sessions}
          />
        )}
        {project.description && (
          <span className="jp-CognitionProjects-detail">
            {project.description}
          </span>
        )}
        {brokenReason !== null && (
          <span className="jp-CognitionProjects-broken">
            {this._trans.__('Broken: %1', brokenReason)}
          </span>
        )}
      </button>
    );
  }

  private readonly _trans: TranslationBundle;
  private readonly _open: (contentsPath: string) => void;
}
