import type { ISettingRegistry } from '@jupyterlab/settingregistry';
import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';

import type { NetworkMode } from '../server/projects';

/** The user's settings, schema/panel.json; the defaults until they are loaded. */
export class PanelSettings {
  /** Follow the settings. */
  follow(settings: ISettingRegistry.ISettings): void {
    this._settings = settings;
    settings.changed.connect(() => {
      this._changed.emit();
    });
    this._changed.emit();
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** A project is marked when it will be cleaned up within so many days. */
  get warningDays(): number {
    return this._get<number>('warningDays', 3);
  }

  /** By how many days projects are extended, unless told otherwise. */
  get extendDays(): number {
    return this._get<number>('extendDays', 30);
  }

  /** The network of new projects; empty for that of the template, or none. */
  get defaultNetwork(): NetworkMode | '' {
    return this._get<NetworkMode | ''>('defaultNetwork', '');
  }

  /** The name of the template of new projects. */
  get defaultTemplate(): string {
    return this._get<string>('defaultTemplate', 'empty');
  }

  /** The registry holds what it gives out to the schema. */
  private _get<T extends string | number>(name: string, otherwise: T): T {
    return (this._settings?.get(name).composite as T | undefined) ?? otherwise;
  }

  private _settings: ISettingRegistry.ISettings | null = null;
  private readonly _changed = new Signal<this, void>(this);
}
