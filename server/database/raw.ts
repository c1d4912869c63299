import type { Model, mongo } from 'mongoose';

/** The collection of a model without what Mongoose adds: nothing is cast, checked or filled in. */
export function rawCollection<Record extends mongo.Document>(model: Model<Record>): mongo.Collection<Record> {
  return model.db.collection<Record>(model.collection.name);
}
