//! How each view and each input stands in XML and in Protocol Buffers; in JSON they stand as they are.

use quire_app::{
    comments::{CommentView, NewComment},
    page::PageView,
    posts::{PostListItem, PostView},
    sessions::{NewSession, SessionView},
    users::{NewUser, RoleReplacement, UserReplacement, UserView},
};
use quire_domain::post::Draft;
use quire_proto::v1;
use serde::{Serialize, de::DeserializeOwned};

use crate::problem::ProblemView;

/// What goes over the wire in several forms. They agree: each is made from, or read into, the members of the JSON form.
pub trait Wire {
    /// The root element in XML.
    const ELEMENT: &'static str;
    /// The message in Protocol Buffers.
    type Message: quire_proto::Message + Serialize + DeserializeOwned;
}

macro_rules! wire {
    ($($type:ty => $element:literal, $message:ty;)*) => {$(
        impl Wire for $type {
            const ELEMENT: &'static str = $element;
            type Message = $message;
        }
    )*};
}

wire! {
    NewUser => "user", v1::NewUser;
    UserReplacement => "user", v1::UserReplacement;
    RoleReplacement => "roleReplacement", v1::RoleReplacement;
    UserView => "user", v1::User;
    PageView<UserView> => "page", v1::UserPage;
    NewSession => "session", v1::NewSession;
    SessionView => "session", v1::Session;
    Draft => "post", v1::NewPost;
    PostView => "post", v1::Post;
    PageView<PostListItem> => "page", v1::PostPage;
    NewComment => "comment", v1::NewComment;
    CommentView => "comment", v1::Comment;
    PageView<CommentView> => "page", v1::CommentPage;
    ProblemView<'_> => "problem", v1::Problem;
}
