import type { ServerEvents } from '../server/events';
import type { IProject } from '../server/projects';
import type { IFilter } from './filter';
import { ALL, select, tagsOf } from './filter';
import type { ProjectsModel } from './projects';
import type { PanelSettings } from './settings';
import type { SizesModel } from './sizes';
import { StateModel } from './state';

/** What the list of the panel shows: projects, filtered, and what is known of them besides. */
export class PanelModel extends StateModel {
  constructor(options: PanelModel.IOptions) {
    super();
    this.projects = options.projects;
    this.sizes = options.sizes;
    this.settings = options.settings;
    this._events = options.events;
    const emit = (): void => {
      this.stateChanged.emit();
    };
    this.projects.stateChanged.connect(emit, this);
    this.sizes.changed.connect(emit, this);
    this.settings.changed.connect(emit, this);
    this._events.disconnected.connect(() => {
      this._wasCut = true;
      emit();
    }, this);
    this._events.connected.connect(emit, this);
  }

  readonly projects: ProjectsModel;
  readonly sizes: SizesModel;
  readonly settings: PanelSettings;

  get filter(): IFilter {
    return this._filter;
  }

  set filter(filter: IFilter) {
    this._filter = filter;
    this.projects.showsTrash = filter.shown === 'trashed';
    this.stateChanged.emit();
  }

  /** Whether the server was there and is away now. */
  get isCutOff(): boolean {
    return this._wasCut && !this._events.isConnected;
  }

  /** The projects of which some are shown; null before they are here. */
  get all(): readonly IProject[] | null {
    const { list, trash } = this.projects;
    return (this._filter.shown === 'trashed' ? trash : list)?.projects ?? null;
  }

  /** The projects that are shown. */
  get rows(): readonly IProject[] {
    return select(this.all ?? [], this._filter);
  }

  /** The tags to choose from. */
  get tags(): readonly string[] {
    return tagsOf(this.all ?? []);
  }

  /** Tell the views that time has passed. */
  tick(): void {
    this.stateChanged.emit();
  }

  private readonly _events: ServerEvents;
  private _filter = ALL;
  private _wasCut = false;
}

/** A namespace for `PanelModel` statics. */
export namespace PanelModel {
  /** The options of `PanelModel`. */
  export interface IOptions {
    readonly projects: ProjectsModel;
    readonly sizes: SizesModel;
    readonly settings: PanelSettings;
    readonly events: ServerEvents;
  }
}
