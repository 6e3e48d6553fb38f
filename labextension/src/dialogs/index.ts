/** The dialogs with a form, loaded together with what they share when the first of them is opened. */
export { CreateBody } from './create';
export { DuplicateBody } from './duplicate';
export { EditBody } from './edit';
