import { byId } from '../lib/dom';
import { FileList } from '../lib/file-list';
import { startPage } from '../lib/page';

void startPage(({ base }) => new FileList(base, 20, byId('files')).refresh());
